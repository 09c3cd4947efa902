"""ONNX graphs of many shapes and types: rows become their inputs, and their outputs scores."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models import onnx as loader
from turnout_runtime.models.model import Loaded

Sizes = list[int | str | None]
ROWS = [[1.0, 2.0, 3.0, 4.0], (5, 6, 7, 8), np.array([9, 10, 11, 12], np.float32)]
SUMS = [10.0, 26.0, 42.0]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def _load(
    folder: Path,
    inputs: dict[str, tuple[int, Sizes]],
    nodes: list[Any],
    outputs: dict[str, tuple[int, Sizes]],
    wanted: str | None = None,
) -> Loaded:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *each) for name, each in inputs.items()],
        [helper.make_tensor_value_info(name, *each) for name, each in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return loader.load("m", folder / "m.onnx", ModelFile(format="onnx", path="m.onnx", output=wanted))


def _sum(source: str, target: str, axes: list[int]) -> Any:
    return helper.make_node("ReduceSum", [source], [target], axes=axes, keepdims=0)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32])
@pytest.mark.parametrize(("shape", "axes"), [([None, 4], [1]), (["n", 2, 2], [1, 2]), ([None, 1, 4], [1, 2])])
def test_numbers_of_many_types_and_shapes(tmp_path: Path, kind: int, shape: Sizes, axes: list[int]) -> None:
    loaded = _load(tmp_path, {"x": (kind, shape)}, [_sum("x", "y", axes)], {"y": (kind, [None])}, "y")
    assert (loaded.width, loaded.max_rows) == (4, None)
    assert loaded.run(ROWS) == SUMS


def test_rows_in_c_order(tmp_path: Path) -> None:
    loaded = _load(tmp_path, {"x": (1, [None, 2, 2])}, [_sum("x", "y", [1])], {"y": (1, [None, 2])})
    assert loaded.run([[1.0, 2.0, 3.0, 4.0]]) == [6.0]  # the second column: 2 + 4


def test_an_input_for_each_feature(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["b"], ["bf"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["a", "bf", "c"], ["all"], axis=1),
        _sum("all", "y", [1]),
    ]
    inputs: dict[str, tuple[int, Sizes]] = {"a": (1, [None, 1]), "b": (TensorProto.INT64, [None, 1])}
    loaded = _load(tmp_path, {**inputs, "c": (1, [None, 1])}, nodes, {"y": (1, [None])})
    assert (loaded.width, loaded.feature_names) == (3, ("a", "b", "c"))
    assert loaded.run([[0.5, 2.0, 3.0], [1.0, 1.0, 1.0]]) == [5.5, 3.0]
    with pytest.raises(ValueError, match="input 'b' takes whole numbers"):
        loaded.run([[0.5, 2.5, 3.0]])
    with pytest.raises(ValueError, match="input 'b' takes whole numbers"):
        loaded.run([[0.5, float("nan"), 3.0]])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_fixed_number_of_rows_is_filled_up(tmp_path: Path, count: int) -> None:
    loaded = _load(tmp_path, {"x": (1, [4, 4])}, [_sum("x", "y", [1])], {"y": (1, [4])})
    assert loaded.max_rows == 4
    assert loaded.run(ROWS[:1] * count) == SUMS[:1] * count


def test_the_output_that_the_manifest_names(tmp_path: Path) -> None:
    nodes = [_sum("x", "y", [1]), helper.make_node("Neg", ["y"], ["z"])]
    outputs: dict[str, tuple[int, Sizes]] = {"y": (1, [None]), "z": (1, [None])}
    inputs: dict[str, tuple[int, Sizes]] = {"x": (1, [None, 4])}
    assert _load(tmp_path, inputs, nodes, outputs, "z").run(ROWS) == [-10.0, -26.0, -42.0]
    with pytest.raises(BundleInvalid, match=r"models\.m: needs an output 'probabilities'.* models\.m\.output.* y, z"):
        _load(tmp_path, inputs, nodes, outputs)
    with pytest.raises(BundleInvalid, match=r"models\.m\.output: no output 'w'; it has y, z"):
        _load(tmp_path, inputs, nodes, outputs, "w")


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"x": (TensorProto.STRING, [None, 4])}, r"input 'x' is a tensor\(string\); features are numbers"),
        ({"x": (1, [])}, r"needs inputs of numbers with a dimension for rows; it has x: float32 \[\]"),
        ({"x": (1, [4])}, "one row, without a dimension for rows"),
        ({"x": (1, [None, None, None])}, "leave open how long a row is"),
        ({"x": (1, [None, 1]), "z": (1, [None, None])}, "leave open how long a row is"),
        ({"x": (1, [None, 1]), "z": (1, [3, 1])}, "disagree about the number of rows"),
    ],
)
def test_inputs_that_are_no_rows_of_features(tmp_path: Path, inputs: Any, told: str) -> None:
    outputs = {name.upper(): each for name, each in inputs.items()}
    nodes = [helper.make_node("Identity", [name], [name.upper()]) for name in inputs]
    with pytest.raises(BundleInvalid, match=told):
        _load(tmp_path, inputs, nodes, outputs)


@pytest.mark.parametrize(
    ("available", "taken"),
    [
        ([CPU], [CPU]),
        (["TensorrtExecutionProvider", CUDA, CPU], [CUDA, CPU]),
    ],
)
def test_a_gpu_is_taken_where_this_onnxruntime_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: list[str], taken: list[str]
) -> None:
    onnxruntime, asked = loader.library(), []
    real = onnxruntime.InferenceSession

    def session(path: str, options: Any, providers: list[str]) -> Any:
        asked.append(providers)
        return real(path, options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    loaded = _load(tmp_path, {"x": (1, [None, 4])}, [_sum("x", "y", [1])], {"y": (1, [None])})
    assert asked == [taken]
    assert loaded.about["provider"] == CPU
