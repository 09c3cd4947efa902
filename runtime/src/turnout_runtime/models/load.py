"""Loads and warms a bundle's models."""

from collections.abc import Callable, Mapping
from pathlib import Path

from turnout_runtime.bundle.manifest import Manifest
from turnout_runtime.config import Batching, ModelServer
from turnout_runtime.errors import BundleInvalid, WorkflowSetupFailed
from turnout_runtime.models import onnx
from turnout_runtime.models.model import Loaded, Model

_LOADERS: Mapping[str, Callable[[str, Path], Loaded]] = {"onnx": onnx.load}


def load_models(
    folder: Path, manifest: Manifest, batching: Batching | None = None, model_server: ModelServer | None = None
) -> dict[str, Model]:
    """Every model of the bundle by name; blocks. Raises `BundleInvalid` naming the model and its file."""
    models = {}
    for name, entry in manifest.models.items():
        if entry.path is None or entry.format not in _LOADERS:
            raise BundleInvalid(f"models.{name}.format: this runtime cannot load {entry.format}")
        path = folder / entry.path
        if not path.is_file():
            raise BundleInvalid(f"models.{name}.path: no file {entry.path!r} in the bundle")
        models[name] = Model(name, path, _LOADERS[entry.format](name, path))
    return models


def warm(model: Model, width: int, rows: int) -> None:
    """Run the model on zeros, for one row and for a full batch, so that no request pays for a first run.

    Raises `WorkflowSetupFailed` when the model does not take rows of `width`, or fails.
    """
    if model.width is not None and model.width != width:
        raise WorkflowSetupFailed(f"model {model.name!r} takes {model.width} features, feature_names has {width}")
    try:
        for count in {1, rows}:
            model.run([[0.0] * width] * count)
    except Exception as error:  # whatever the library raises, the pod must say it and not serve
        raise WorkflowSetupFailed(f"model {model.name!r} failed its warm-up: {error}") from error
