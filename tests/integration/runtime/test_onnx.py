"""Real ONNX models, through the loader and through a whole process."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.integration.runtime.process import config_for, running
from tests.unit.runtime.builders import MANIFEST, write_bundle

from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models import onnx as loader

FLOWS = b"""
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    model = "m"
    feature_names = ("a", "b", "c")

    def features(self, ctx):
        return [ctx.request.context[name] for name in self.feature_names]

    def decide(self, ctx, score):
        return Decision("high" if score > 10 else "low", score, 1.0)
"""


def _model(columns: int = 1, output: str = "score", width: int | None = 3) -> bytes:
    """Multiplies a row (a, b, c) by weights 1, 10, 100; column n of the output is n times the sum."""
    weights = np.array([[1.0], [10.0], [100.0]], np.float32) * np.arange(1, columns + 1, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], [output])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, columns])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _load(tmp: Path, content: bytes) -> Any:
    (tmp / "m.onnx").write_bytes(content)
    return loader.load("m", tmp / "m.onnx")


@pytest.mark.parametrize(("columns", "factor"), [(1, 1.0), (2, 2.0)])
def test_the_score_is_the_only_column_or_the_positive_class(tmp_path: Path, columns: int, factor: float) -> None:
    loaded = _load(tmp_path, _model(columns))
    assert loaded.width == 3
    rows = [[1.0, 2.0, 3.0], (4, 5, 6), np.array([7, 8, 9], np.float32)]
    assert loaded.run(rows) == [321 * factor, 654 * factor, 987 * factor]


def test_a_width_that_the_file_leaves_open(tmp_path: Path) -> None:
    assert _load(tmp_path, _model(width=None)).width is None


def test_more_classes_than_two_are_no_score(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 columns"):
        _load(tmp_path, _model(columns=3)).run([[1.0, 2.0, 3.0]])


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"models\.m: m\.onnx is not a readable ONNX model"):
        _load(tmp_path, _model()[:-40])


def test_a_model_serves_without_a_trace_of_telemetry(tmp_path: Path) -> None:
    manifest = MANIFEST + b"models: {m: {path: m.onnx, format: onnx}}\n"
    bundle = write_bundle(tmp_path / "bundle", bundle_yaml=manifest, workflow_py=FLOWS, m_onnx=_model())
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    with running(tmp_path, config_for(tmp_path, bundle), **environment) as runtime:
        answers = []
        threads = [
            threading.Thread(target=lambda n=n: answers.append((n, runtime.predict({"a": n, "b": 1, "c": 0}).body)))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {n: (body["score"], body["decision"]) for n, body in answers} == {
            n: (n + 10.0, "high" if n else "low") for n in range(8)
        }
        assert runtime.predict({"a": 1, "b": None, "c": 0}).status == 500
        assert runtime.metric('turnout_model_load_seconds{model="m"}') > 0
        assert runtime.metric('turnout_model_rows_total{model="m"}') == 9
        assert runtime.terminate() == 0
        record = next(r for r in runtime.records() if r["status"] == "ok" and r["score"] == 12.0)
        assert record["features"] == {"a": 2, "b": 1, "c": 0}
        assert record["stages_ms"]["model"] > 0
    assert list(home.iterdir()) == []
