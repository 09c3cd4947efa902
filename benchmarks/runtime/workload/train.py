"""Makes the models into a folder, from a seed: `python -m benchmarks.runtime.workload.train FOLDER`.

A process of its own: training brings libraries along that the load's process has no use for.

- fraud.onnx: 100 trees of depth 6, some microseconds a row.
- network.onnx: a perceptron whose weights (19 MB) are read once a run, however many rows it has: batching pays.
- matrix.onnx: each row is a matrix of its own that is multiplied with itself: all of its work is per row.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.runtime.workload.fraud import WIDTH, features
from benchmarks.runtime.workload.requests import payments
from flight_delay.export import IR_VERSION, OPSETS, onnx_bytes
from onnx import NodeProto, TensorProto, helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

ROWS = 20_000
HIDDEN = 1536
SIDE = 384
Array = npt.NDArray[Any]


def fraud() -> bytes:
    """Boosted trees over an invented risk."""
    rows = np.array([features(p["amount"], p["country"], p["device"], p["history"]) for p in payments(ROWS, seed=0)])
    rows = rows.astype(np.float32)
    risk = 0.8 * rows[:, 0] - 0.9 * rows[:, 1] + 0.7 * rows[:, 5] + rows[:, 10] - rows[:, 13]
    noise = np.random.default_rng(0).normal(0, 0.8, ROWS)
    labels = (risk - risk.mean()) / risk.std() + noise > 0.4
    model = HistGradientBoostingClassifier(
        max_iter=100, max_depth=6, max_leaf_nodes=None, min_samples_leaf=5, early_stopping=False, random_state=0
    )
    with threadpool_limits(limits=1):
        return onnx_bytes(model.fit(rows, labels), WIDTH)


def network() -> bytes:
    """WIDTH -> HIDDEN -> HIDDEN -> HIDDEN -> 1 with ReLU."""
    sizes = (WIDTH, HIDDEN, HIDDEN, HIDDEN)
    weights = {f"w{layer}": _random(shape, layer) for layer, shape in enumerate(pairwise(sizes))}
    nodes, last = [_clipped()], "x"
    for layer in range(len(weights)):
        nodes += [_node("MatMul", [last, f"w{layer}"], f"m{layer}"), _node("Relu", [f"m{layer}"], f"h{layer}")]
        last = f"h{layer}"
    nodes += [_node("MatMul", [last, "out"], "logit"), _node("Sigmoid", ["logit"], "score")]
    return _model(nodes, {**weights, "out": _random((HIDDEN, 1), 9)})


def matrix() -> bytes:
    """Row -> SIDE x SIDE matrix A (an outer product) -> A(A + B), twice -> its mean."""
    weights = {"left": _random((WIDTH, SIDE), 1), "right": _random((WIDTH, SIDE), 2), "b": _random((SIDE, SIDE), 3)}
    nodes = [
        _clipped(),
        _node("MatMul", ["x", "left"], "u"),
        _node("MatMul", ["x", "right"], "v"),
        _node("Unsqueeze", ["u", "two"], "column"),
        _node("Unsqueeze", ["v", "one"], "row"),
        _node("MatMul", ["column", "row"], "a0"),
    ]
    for step in range(3):
        nodes += [
            _node("Add", [f"a{step}", "b"], f"s{step}"),
            _node("MatMul", [f"a{step}", f"s{step}"], f"p{step}"),
            _node("Tanh", [f"p{step}"], f"a{step + 1}"),
        ]
    nodes += [_node("ReduceMean", ["a3"], "mean", axes=[1, 2], keepdims=0), _node("Sigmoid", ["mean"], "flat")]
    nodes += [_node("Unsqueeze", ["flat", "one"], "score")]
    axes = {"one": np.array([1], np.int64), "two": np.array([2], np.int64)}
    return _model(nodes, {**weights, **axes})


def _clipped() -> NodeProto:
    """Features of any size, tamed."""
    return _node("Tanh", ["features"], "x")


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs, [output], **attributes)


def _random(shape: tuple[int, ...], seed: int) -> Array:
    values: Array = (np.random.default_rng(seed).normal(0, 1, shape) / shape[0] ** 0.5).astype(np.float32)
    return values


def _model(nodes: list[NodeProto], constants: dict[str, Array]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "benchmark",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION, producer_name="turnout-benchmark")
    return bytes(made.SerializeToString(deterministic=True))


def main(folder: Path) -> None:
    """Write all models."""
    for make in (fraud, network, matrix):
        (folder / f"{make.__name__}.onnx").write_bytes(make())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
