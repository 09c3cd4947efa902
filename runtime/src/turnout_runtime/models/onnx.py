"""ONNX models on the CPU, or on a GPU where this onnxruntime has one.

One thread per model run: at these sizes a thread pool costs more than it gives, and the pod's CPU request counts cores.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models.library import imported
from turnout_runtime.models.model import Loaded
from turnout_runtime.workflow.features import Row

_PREFERRED = ("CUDAExecutionProvider", "CPUExecutionProvider")
_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
_FRACTIONS = ("tensor(float)", "tensor(double)", "tensor(float16)")


def library() -> ModuleType:
    """onnxruntime, silenced; raises `BundleInvalid` where it is not installed."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; otherwise it keeps a database in the home folder
    onnxruntime = imported("onnxruntime", "an ONNX", "onnx")
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def load(name: str, path: Path, entry: ModelFile | None = None) -> Loaded:
    """Load a model whose inputs are numbers, with a dimension for rows first; raises `BundleInvalid`.

    A row's columns go to the inputs in their order; what comes after the rows' dimension is filled in C order. A model
    with a fixed number of rows is given that many. The score is the output that `entry` names, else `probabilities`
    (its last column: the positive class), else the model's only float output.
    """
    onnxruntime = library()
    try:
        session = onnxruntime.InferenceSession(str(path), _options(onnxruntime), providers=_providers(onnxruntime))
    except Exception as error:  # onnxruntime raises a class per cause, without a common base
        raise BundleInvalid(f"models.{name}: {path.name} is not a readable ONNX model: {error}") from error
    return _loaded(f"models.{name}", session, entry.output if entry else None, onnxruntime.__version__)


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


def _loaded(field: str, session: Any, wanted: str | None, version: str) -> Loaded:
    from turnout_runtime.models.arrays import Input, choose_output, layout, scores

    for each in session.get_inputs():
        if each.type not in _TYPES:
            raise BundleInvalid(f"{field}: input {each.name!r} is a {each.type}; features are numbers")
    shape = layout(field, [Input(i.name, _TYPES[i.type], _sizes(i.shape)) for i in session.get_inputs()])
    outputs = {each.name: each.type in _FRACTIONS for each in session.get_outputs()}
    output = choose_output(field, outputs, wanted)
    arrays = shape.arrays

    def run(rows: Sequence[Row]) -> list[float]:
        return scores(output, session.run([output], arrays(rows))[0])[: len(rows)]

    about = {"runtime": f"onnxruntime {version}", "provider": session.get_providers()[0], "output": output}
    return Loaded(run, shape.width, shape.rows, shape.names, about)


def _sizes(shape: Sequence[object]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in shape)
