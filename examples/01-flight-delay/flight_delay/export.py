"""Boosted trees as ONNX. Written out here because skl2onnx 1.20 fails with current protobuf releases."""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
IR_VERSION = 8  # the oldest that has these operator sets, so that older runtimes read it


def onnx_bytes(model: HistGradientBoostingClassifier, width: int) -> bytes:
    """A binary classifier as ONNX: input `features` [n, width] float32, NaN = unknown; output `score` [n, 1]."""
    trees = [stage[0].nodes for stage in model._predictors]
    baseline = float(np.asarray(model._baseline_prediction).item())
    graph = helper.make_graph(
        [
            _ensemble_node({"n_targets": 1, "base_values": [baseline], **_ensemble(trees)}),
            helper.make_node("Sigmoid", ["logit"], ["score"]),
        ],
        "flight-delay",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
    )
    proto = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION, producer_name="turnout-example")
    return bytes(proto.SerializeToString(deterministic=True))


def _ensemble_node(attributes: dict[str, Any]) -> NodeProto:
    return helper.make_node("TreeEnsembleRegressor", ["features"], ["logit"], domain="ai.onnx.ml", **attributes)


def _ensemble(trees: list[npt.NDArray[Any]]) -> dict[str, list[Any]]:
    """The tables of a TreeEnsembleRegressor: one entry per node, and one per leaf."""
    every = [(tree, index, node) for tree, table in enumerate(trees) for index, node in enumerate(table)]
    nodes = [_node(*place) for place in every]
    leaves = [(tree, index, float(node["value"])) for tree, index, node in every if node["is_leaf"]]
    return {
        **{f"nodes_{column}": [node[column] for node in nodes] for column in nodes[0]},
        "target_treeids": [tree for tree, _, _ in leaves],
        "target_nodeids": [index for _, index, _ in leaves],
        "target_ids": [0 for _ in leaves],
        "target_weights": [value for _, _, value in leaves],
    }


def _node(tree: int, index: int, node: Any) -> dict[str, Any]:
    branch = not node["is_leaf"]
    return {
        "treeids": tree,
        "nodeids": index,
        "modes": "BRANCH_LEQ" if branch else "LEAF",
        "featureids": int(node["feature_idx"]) if branch else 0,
        "values": _floor32(float(node["num_threshold"])) if branch else 0.0,
        "truenodeids": int(node["left"]) if branch else 0,
        "falsenodeids": int(node["right"]) if branch else 0,
        "missing_value_tracks_true": int(node["missing_go_to_left"]) if branch else 0,
    }


def _floor32(threshold: float) -> float:
    """The largest float32 that is not above the threshold: for float32 features `x <= t` then decides the same."""
    rounded = np.float32(threshold)
    return float(rounded if rounded <= threshold else np.nextafter(rounded, np.float32(-np.inf)))
