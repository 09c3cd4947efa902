"""Pickles, plain ones and joblib's. Reading one runs any code, so the manifest must have allowed it."""

import importlib
import pickle
from pathlib import Path
from types import ModuleType

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models import estimator
from turnout_runtime.models.model import Loaded


def library() -> ModuleType:
    """joblib, which reads both kinds, or pickle where there is none."""
    try:
        return importlib.import_module("joblib")
    except ImportError:
        return pickle


def load(name: str, path: Path, entry: ModelFile) -> Loaded:
    """Load an object with scikit-learn's methods; raises `BundleInvalid`. The manifest refuses it unless allowed."""
    reader = library()
    try:
        with estimator.told_warnings(name), path.open("rb") as file:
            model = reader.load(file)
    except Exception as error:  # a pickle raises whatever it likes
        raise BundleInvalid(f"models.{name}: {path.name} cannot be unpickled: {error!r}") from error
    return estimator.loaded(name, model, {"runtime": "pickle"})
