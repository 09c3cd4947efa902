"""ONNX models on the CPU, or on a GPU where this onnxruntime has one.

One thread per model run: at these sizes a thread pool costs more than it gives, and the pod's CPU request counts cores.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models.model import Loaded
from turnout_runtime.models.outcome import Runner
from turnout_runtime.workflow.features import Row

_PREFERRED = ("CUDAExecutionProvider", "CPUExecutionProvider")


def load(name: str, path: Path) -> Loaded:
    """Load a model with one float input of shape (rows, features); raises `BundleInvalid` saying what does not fit.

    The score is the output `probabilities` (its last column: the positive class), else the model's only float output.
    """
    onnxruntime = _onnxruntime()
    try:
        session = onnxruntime.InferenceSession(str(path), _options(onnxruntime), providers=_providers(onnxruntime))
    except Exception as error:  # onnxruntime raises a class per cause, without a common base
        raise BundleInvalid(f"models.{name}: {path.name} is not a readable ONNX model: {error}") from error
    source, width = _input(name, session)
    return Loaded(_runner(session, source, _output(name, session)), width)


def _onnxruntime() -> ModuleType:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; otherwise it keeps a database in the home folder
    try:
        import onnxruntime
    except ImportError as error:
        raise BundleInvalid(
            "the bundle has an ONNX model, but this image has no onnxruntime: add turnout-runtime[onnx]"
        ) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime  # type: ignore[no-any-return]


def _options(onnxruntime: ModuleType) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _providers(onnxruntime: ModuleType) -> list[str]:
    available = onnxruntime.get_available_providers()
    return [provider for provider in _PREFERRED if provider in available]


def _input(name: str, session: Any) -> tuple[str, int | None]:
    """Name and row length of the only input."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
        have = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
        raise BundleInvalid(f"models.{name}: needs one input of floats, shape (rows, features); it has {have}")
    width = inputs[0].shape[1]
    return inputs[0].name, width if isinstance(width, int) else None


def _output(name: str, session: Any) -> str:
    """Name of the output that holds the score."""
    floats = [output.name for output in session.get_outputs() if output.type == "tensor(float)"]
    if "probabilities" in floats:
        return "probabilities"
    if len(floats) != 1:
        have = ", ".join(f"{o.name}: {o.type}" for o in session.get_outputs())
        raise BundleInvalid(
            f"models.{name}: needs an output 'probabilities' or a single float output; it has {have}"
            " (export classifiers with zipmap off)"
        )
    return str(floats[0])


def _runner(session: Any, source: str, output: str) -> Runner:
    import numpy as np

    def run(rows: Sequence[Row]) -> list[float]:
        scores = session.run([output], {source: np.array(rows, dtype=np.float32)})[0]
        if scores.ndim == 1:
            return scores.tolist()  # type: ignore[no-any-return]
        if scores.shape[1] > 2:
            raise ValueError(f"output {output!r} has {scores.shape[1]} columns; a score is one column, or two classes")
        return scores[:, -1].tolist()  # type: ignore[no-any-return]

    return run
