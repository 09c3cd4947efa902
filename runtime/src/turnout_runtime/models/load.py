"""Loads and warms a bundle's models, and measures what they take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Protocol

from turnout_runtime.bundle.manifest import Manifest, ModelFile
from turnout_runtime.config import Batching, ModelServer
from turnout_runtime.errors import BundleInvalid, ConfigInvalid, StartError, WorkflowSetupFailed
from turnout_runtime.models import lightgbm, onnx, pickles, skops, xgboost
from turnout_runtime.models.memory import peak_growth, resident
from turnout_runtime.models.model import Loaded, Memory, Model

_TIMED_RUNS = 3


class _Format(Protocol):
    """A module that reads files of one format. `library` imports what it takes, so that it is not measured."""

    def library(self) -> ModuleType: ...

    def load(self, name: str, path: Path, entry: ModelFile) -> Loaded: ...


_FORMATS: dict[str, _Format] = {
    "onnx": onnx,
    "skops": skops,
    "xgboost": xgboost,
    "lightgbm": lightgbm,
    "pickle": pickles,
}


@dataclass(frozen=True, slots=True)
class _Measured:
    loaded: Loaded
    seconds: float
    resident: int


def load_models(
    folder: Path, manifest: Manifest, batching: Batching | None = None, model_server: ModelServer | None = None
) -> dict[str, Model]:
    """Every model of the bundle by name; blocks, also until a model server is ready.

    Raises `BundleInvalid` or `ConfigInvalid` naming the model and its file, `ModelServerNotReady` naming the server.
    """
    models = {}
    for name, entry in manifest.models.items():
        if entry.path is None:
            path, measured = None, _measure(lambda: None, _on_server(name, entry, model_server))
        else:
            path = folder / entry.path
            measured = _measure(*_from_file(name, path, entry))
        models[name] = model = Model(name, path, measured.loaded, batching)
        model.load_seconds = measured.seconds
        model.memory = Memory(resident=measured.resident)
    return models


def _measure(prepare: Callable[[], object], load: Callable[[], Loaded]) -> _Measured:
    started = time.perf_counter()
    prepare()
    before = resident()
    loaded = load()
    return _Measured(loaded, time.perf_counter() - started, _resident(loaded, before))


def _resident(loaded: Loaded, before: int) -> int:
    return max(0, resident() - before) if loaded.resident is None else loaded.resident


def _from_file(name: str, path: Path, entry: ModelFile) -> tuple[Callable[[], object], Callable[[], Loaded]]:
    if not path.is_file():
        raise BundleInvalid(f"models.{name}.path: no file {entry.path!r} in the bundle")
    reader = _FORMATS[entry.format]
    return reader.library, lambda: reader.load(name, path, entry)


def _on_server(name: str, entry: ModelFile, server: ModelServer | None) -> Callable[[], Loaded]:
    if server is None:
        needed = f"modelServer.triton.url is needed: the bundle's model {name!r} runs on a Triton"
        raise ConfigInvalid(f"{needed}: declare spec.modelServer, or give --triton HOST:PORT where there is no cluster")
    from turnout_runtime.models import triton

    return lambda: triton.load(name, entry, server.triton)


def warm(model: Model, width: int, rows: int, names: Sequence[str] = ()) -> None:
    """Run the model on zeros, for one row and for a full batch, so that no request pays for a first run.

    `names` are the workflow's feature names. Measures time and memory. Raises `WorkflowSetupFailed` when the model
    does not take rows of `width`, knows its features in another order, or fails.
    """
    _check(model, width, names)
    started = time.perf_counter()
    row, full = [[0.0] * width], [[0.0] * width] * min(rows, model.max_size)
    base = resident()
    try:
        activation = peak_growth(lambda: model.run(row), base)
        batch = peak_growth(lambda: model.run(full), base)
        one = min(_seconds(lambda: model.run(row)) for _ in range(_TIMED_RUNS))
        model.measured(one, len(full), _seconds(lambda: model.run(full)))
    except StartError:
        raise
    except Exception as error:  # whatever the library raises, the pod must say it and not serve
        raise WorkflowSetupFailed(f"model {model.name!r} failed its warm-up: {error}") from error
    model.memory = replace(model.memory, activation=activation, batch=batch)
    model.warm_seconds = time.perf_counter() - started


def _check(model: Model, width: int, names: Sequence[str]) -> None:
    if model.width is not None and model.width != width:
        raise WorkflowSetupFailed(f"model {model.name!r} takes {model.width} features, feature_names has {width}")
    own = model.feature_names
    if own is not None and sorted(own) == sorted(names) and list(own) != list(names):
        raise WorkflowSetupFailed(
            f"model {model.name!r} was trained with its features in another order than feature_names: {', '.join(own)}"
        )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
