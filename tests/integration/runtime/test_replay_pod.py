"""The log of a real pod, replayed: the same bundle answers the same bits, another one does not."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.integration.runtime.process import config_for, running, serving
from tests.unit.runtime.builders import write_bundle

from turnout_runtime.cli import main
from turnout_runtime.log.read import rows as records_of

MANIFEST = b"""
apiVersion: bundle.turnout.dev/v1alpha1
name: delay
version: "1"
workflow: workflow:Delay
models:
  m: {path: m.onnx, format: onnx}
"""
WORKFLOW = b"""
import math
from pydantic import BaseModel
from turnout_runtime import Decision, Workflow

class Flight(BaseModel):
    carrier: str
    distance: float
    odd: bool = False

class Why(BaseModel):
    hour: int

class Delay(Workflow[Flight, Why]):
    model = "m"
    feature_names = ("distance", "wind", "seats", "since")

    async def fetch(self, ctx):
        await ctx.facts.fetch(weather="JFK", plane=None if ctx.input.odd else "N1", history=None, nothing="x")

    def features(self, ctx):
        facts = ctx.facts
        plane, history = facts["plane"], facts["history"]
        seats = math.nan if plane is None else plane["seats"]
        since = math.log1p(ctx.time_ns // 1000 % 86_400_000_000) + (history["vector"][0] if history else 0.0)
        return [ctx.input.distance / 7, facts["weather"]["wind"] * 0.1, seats, since]

    def refine(self, ctx, score):
        return {"radar": "JFK"} if score > 120 else None

    def decide(self, ctx, score):
        if getattr(ctx.input, "carrier", None) == "XX":
            raise KeyError("no such carrier")
        if ctx.facts_pass == 2:
            score += (ctx.facts["radar"] or {"rain": 0.0})["rain"]
        late = "late" if score > 100 else "on_time"
        return Decision(late, score, 1 / 3, details=Why(hour=ctx.now.hour))

    def rules(self, ctx, error):
        return Decision("on_time", 0.1, 0.2) if ctx.input.distance > 900 else None
"""


def model() -> bytes:
    """The dot product with some weights that are no round numbers; a missing value is 150."""
    weights = np.array([[0.31], [1.77], [0.0123], [0.7]], np.float32)
    nodes = [
        helper.make_node("IsNaN", ["x"], ["missing"]),
        helper.make_node("Where", ["missing", "usual", "x"], ["known"]),
        helper.make_node("MatMul", ["known", "w"], ["score"]),
    ]
    numbers = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32(150.0).reshape(()), "usual")]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, n]) for name, n in (("x", 4), ("score", 1))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], numbers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def constant(value: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    return {"plugin": {"name": "constant", "options": {"value": value}}, "timeoutSeconds": 1.0, **fields}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delay") / "delay"
    return write_bundle(folder, bundle_yaml=MANIFEST, workflow_py=WORKFLOW, m_onnx=model())


@pytest.fixture(scope="module")
def log(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The log of a pod that was asked 400 times, with all kinds of facts, answers and failures."""
    folder, chance = tmp_path_factory.mktemp("pod"), random.Random(3)
    dead = {"redis": {"url": "redis://127.0.0.1:1"}, "timeoutSeconds": 0.2}
    facts = {
        "weather": constant({"wind": 17.3}, cache={"ttlSeconds": 60, "maxEntries": 10}),
        "plane": constant({"seats": 189}),
        "history": {"caller": {}, "timeoutSeconds": 1.0},
        "nothing": {**dead, "fallback": {"n": 1}},
        "radar": constant({"rain": 0.3}),
    }
    with running(folder, config_for(folder, bundle, facts=facts, serving=serving(timeoutSeconds=20.0))) as pod:
        for number in range(400):
            context = {"carrier": chance.choice(["AA", "DL", "XX"]), "distance": chance.uniform(100, 2500)}
            if number % 7 == 0:
                context["odd"] = True
            fields: dict[str, Any] = {"feature_refs": {"history": [chance.random()]}} if number % 3 else {}
            arm = {"x-turnout-arm": chance.choice(["stable", "challenger"]), "x-turnout-propensity": "0.5"}
            pod.predict(context, {**arm, "x-turnout-policy-version": "4"}, request_id=f"r{number}", **fields)
        assert pod.predict({"carrier": 1}, request_id="last").status == 400
        assert pod.predict({"carrier": "AA", "distance": 1}, feature_refs={"history": "odd"}).status == 400
        rows = {"name": "features", "shape": [2, 4], "datatype": "FP32", "data": [9.1, 2, 3, 4, 300, 2, 0.3, 1]}
        infer = json.dumps({"inputs": [rows]}).encode()
        assert pod.send("POST", "/v2/models/echo/infer", infer, {"content-type": "application/json"}).status == 200
        pod.wait_for(lambda: len(pod.records()) == 404)
        yield pod.log


def replay(capsys: pytest.CaptureFixture[str], *options: Any, code: int = 0) -> dict[str, Any]:
    assert main(["replay", "--json", *map(str, options)]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_same_bundle_answers_the_same_bits(log: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = replay(capsys, "--log", log, "--bundle", bundle, "--max-disagreement", "0%")
    assert found["skipped"] == {"refused for a fact that its caller sent": 1}
    assert found["replayed"] == found["identical"] == 403
    assert found["agreement"] == 1.0
    assert found["score"]["changed"] == 0
    assert (found["features"], found["worst"], found["slices"]) == ({}, [], [])
    assert found["unknown_facts"] == {}
    assert set(found["errors"]) == {"KeyError", "invalid-request"}
    assert 20 < found["errors"]["KeyError"]["records"] < 80


def test_the_log_had_all_kinds_of_records(log: Path) -> None:
    """Or else the test above would prove less."""
    rows = [json.loads(line) for line in b"".join(records_of(log)).splitlines()]
    sources = {fact["source"] for row in rows for fact in row["facts"].values()}
    assert sources >= {"live", "cache", "fallback", "caller", "missing"}
    assert {row["fallback"] for row in rows} >= {"facts", "rules"}
    assert {row["passes"] for row in rows} >= {1, 2}
    assert {row["status"] for row in rows} == {"ok", "error", "invalid"}
    assert any(row["features"] and row["features"]["seats"] is None for row in rows)


def test_another_bundle_is_told_from_it(log: Path, bundle: Path, tmp_path: Path, capsys: Any) -> None:
    other = WORKFLOW.replace(b"* 0.1, seats", b'* 0.1 + (20 if ctx.input.carrier == "DL" else 0), seats')
    other = other.replace(b'nothing="x"', b'nothing="x", tower="JFK"')
    assert other.count(b"tower") == 1
    candidate = write_bundle(tmp_path / "other", bundle_yaml=MANIFEST, workflow_py=other, m_onnx=model())
    found = replay(capsys, "--log", log, "--bundle", candidate, "--max-disagreement", "2%", code=1)
    assert 0.02 < 1 - found["agreement"] < 0.4
    assert list(found["features"]) == ["wind"]
    assert found["features"]["wind"]["largest"] == pytest.approx(20, abs=1e-3)
    assert found["slices"][0]["name"] == "context.carrier=DL"
    assert found["unknown_facts"]["tower"] == 400
    assert found["unknown_facts"].keys() <= {"tower", "radar"}  # more scores are looked at twice now
    assert found["worst"][0]["decision"] == ["on_time", "late"]
    assert found["score"]["mean_shift"] > 0
    assert [(d["logged"], d["replayed"]) for d in found["decisions"]] == [("on_time", "late")]
