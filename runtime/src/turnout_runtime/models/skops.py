"""scikit-learn models in skops' format, which holds types by name: none is made that is not trusted."""

from pathlib import Path
from types import ModuleType

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models import estimator
from turnout_runtime.models.library import imported
from turnout_runtime.models.model import Loaded


def library() -> ModuleType:
    """skops.io; raises `BundleInvalid` where it is not installed."""
    return imported("skops.io", "a skops", "sklearn")


def load(name: str, path: Path, entry: ModelFile) -> Loaded:
    """Load an estimator or pipeline; raises `BundleInvalid` that lists the types that nobody trusted."""
    import sklearn

    skops_io = library()
    try:
        untrusted = skops_io.get_untrusted_types(file=path)
    except Exception as error:  # zipfile's, json's and skops' own
        raise BundleInvalid(f"models.{name}: {path.name} is not a readable skops file: {error}") from error
    strangers = sorted(set(untrusted) - set(entry.trustedTypes))
    if strangers:
        raise BundleInvalid(
            f"models.{name}: {path.name} holds types that are not trusted: {', '.join(strangers)};"
            f" if they are meant to be there, list them in models.{name}.trustedTypes"
        )
    try:
        with estimator.told_warnings(name):
            model = skops_io.load(path, trusted=untrusted)
    except Exception as error:  # whatever a type raises while it is made, among them missing modules
        raise BundleInvalid(f"models.{name}: {path.name} cannot be loaded: {error}") from error
    return estimator.loaded(name, model, {"runtime": f"scikit-learn {sklearn.__version__}"})
