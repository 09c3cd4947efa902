import asyncio
import gc
import json
import weakref
from typing import Any

import pytest

from turnout_runtime.errors import BodyTooLarge
from turnout_runtime.facts import FactRule, Facts, Found, Scope
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.ids import Ids
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route, route_of
from turnout_runtime.workflow import Context, Decision, Features, Request, Workflow

IDENTITY = Identity("demo", "flow", "flow-1a2b3c4d", "sha256:aa")
ROUTE = Route("obj", arm="main", policy_version="v1", propensity=0.9)
FIELDS = (
    "schema_version prediction_id request_id time namespace objective model_deployment revision bundle_digest "
    "policy_version arm cohort propensity shadow entity_id caller headers trace_id feature_refs context facts "
    "features passes batch_size score decision confidence explanations_ref details fallback_used fallback "
    "fallback_reason cache exceeded stages_ms status error_type sample_rate"
)


class Flow(Workflow):
    """Adds one to the context's `x`; does to itself what the context asks for."""

    model = "m"
    feature_names = ("x", "y")

    async def fetch(self, ctx: Context) -> None:
        await asyncio.sleep(ctx.request.context.get("sleep", 0))
        if "fact" in ctx.request.context:
            await ctx.facts.fetch(f=ctx.request.context["fact"])

    def features(self, ctx: Context) -> Features:
        if ctx.request.context.get("raise"):
            raise KeyError("secret detail")
        ctx.request.context["spoiled"] = True  # type: ignore[index]
        return [ctx.request.context["x"], float("nan")]

    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("yes" if score > 1 else "no", score * ctx.request.context.get("factor", 1.0), 0.5)


class Silent:
    """A fact source that never answers."""

    def get(self, key: str, scope: Scope) -> "asyncio.Future[Found]":
        return asyncio.get_running_loop().create_future()


def _dataplane(seen: list[Prediction], timeout: float = 1.0) -> Dataplane:
    flow = Flow()
    flow.models = {"m": Model("m", None, Loaded(lambda rows: [row[0] + 1.0 for row in rows], 2))}  # type: ignore[arg-type]
    rules = {"f": FactRule(Silent(), 0.01, {"v": 7})}
    return Dataplane(
        workflow=flow,
        facts=rules,
        admission=Admission(2, 2, 0.02),
        expiry=Expiry(timeout),
        ids=Ids("flow-1a2b3c4d"),
        sink=seen.append,
    )


def _body(**context: Any) -> bytes:
    return json.dumps({"request_id": "r", "entity_id": "e", "context": context}).encode()


async def _record(timeout: float = 1.0, **context: Any) -> dict[str, Any]:
    seen: list[Prediction] = []
    prediction = await _dataplane(seen, timeout).predict(ROUTE, _body(**context))
    assert seen == [prediction]
    line = Encoder(IDENTITY)(prediction)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    record: dict[str, Any] = json.loads(line)
    return record


async def test_a_prediction_can_be_reconstructed_from_its_record() -> None:
    record = await _record(x=1.5, note="a\nb")
    assert sorted(record) == sorted(FIELDS.split())
    expected = {
        "schema_version": 3, "request_id": "r", "namespace": "demo", "objective": "obj", "model_deployment": "flow",
        "revision": "flow-1a2b3c4d", "bundle_digest": "sha256:aa", "policy_version": "v1", "arm": "main",
        "cohort": None, "propensity": 0.9, "entity_id": "e", "context": {"x": 1.5, "note": "a\nb"}, "facts": {},
        "features": {"x": 1.5, "y": None}, "score": 2.5, "decision": "yes", "confidence": 0.5,
        "explanations_ref": None, "fallback_used": False, "status": "ok", "error_type": None,
        "caller": None, "headers": {}, "trace_id": None, "sample_rate": 1.0,
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected
    assert list(record["stages_ms"]) == ["queue", "facts", "features", "model", "decide", "total"]
    parts = [record["stages_ms"][stage] for stage in ("queue", "facts", "features", "model", "decide")]
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= record["stages_ms"]["total"]
    assert len(record["time"]) == len("2013-07-01T00:00:00.000000Z")


async def test_a_fallback_is_marked_in_fact_and_prediction() -> None:
    record = await _record(x=1.0, fact="k")
    fact = record["facts"]["f"]
    assert (fact["value"], fact["source"], fact["reason"]) == ({"v": 7}, "fallback", "timeout")
    assert fact["latency_ms"] >= 9
    assert record["fallback_used"]
    assert record["status"] == "ok"


@pytest.mark.parametrize(
    ("context", "status", "error_type", "reached"),
    [
        ({"x": 1.0, "raise": True}, "error", "KeyError", "features"),
        ({"x": float("inf"), "y": 1}, "invalid", "invalid-request", None),
        ({"x": 1e308, "factor": 1e308}, "error", "WorkflowError", "decide"),
        ({"x": "text"}, "error", "WorkflowError", "model"),
        ({}, "error", "KeyError", "features"),
        ({"x": 1.0, "sleep": 5}, "timeout", "timeout", "facts"),
    ],
)
async def test_every_ending_is_recorded(
    context: dict[str, Any], status: str, error_type: str, reached: str | None
) -> None:
    record = await _record(0.05 if "sleep" in context else 5.0, **context)
    assert (record["status"], record["error_type"], record["decision"]) == (status, error_type, None)
    stages = {stage: spent for stage, spent in record["stages_ms"].items() if stage != "total"}
    assert ([stage for stage, spent in stages.items() if spent is not None] or [None])[-1] == reached
    assert record["context"] == (None if status == "invalid" else context)


async def test_overload_sheds_and_says_so() -> None:
    seen: list[Prediction] = []
    dataplane = _dataplane(seen)
    await asyncio.gather(*(dataplane.predict(ROUTE, _body(x=1.0, sleep=0.1)) for _ in range(6)))
    endings = [p.error_type or "ok" for p in seen]
    assert sorted(endings) == ["ok", "ok", "queue_full", "queue_full", "queue_wait", "queue_wait"]
    shed = json.loads(Encoder(IDENTITY)(next(p for p in seen if p.status == "shed")))
    assert shed["context"] == {"x": 1.0, "sleep": 0.1}
    assert shed["stages_ms"]["queue"] is not None
    assert dataplane.admission.active == 0


async def test_a_caller_that_goes_cancels_the_work_and_leaves_a_record() -> None:
    seen: list[Prediction] = []
    dataplane = _dataplane(seen)
    task = asyncio.create_task(dataplane.predict(ROUTE, _body(x=1.0, sleep=5)))
    await asyncio.sleep(0.01)
    assert dataplane.admission.active == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(p.status, p.error_type) for p in seen] == [("error", "CallerGone")]
    assert dataplane.admission.active == 0


async def test_what_a_door_turns_away_leaves_a_prediction() -> None:
    seen: list[Prediction] = []
    route = route_of("obj", {"x-request-id": "r-9", "x-turnout-entity": "e-9"})
    prediction = _dataplane(seen).refuse(route, BodyTooLarge("x"))
    assert seen == [prediction]
    record = json.loads(Encoder(IDENTITY)(prediction))
    assert (record["status"], record["error_type"]) == ("invalid", "body-too-large")
    assert (record["request_id"], record["entity_id"], record["context"]) == ("r-9", "e-9", None)


def test_a_workflows_log_lines_carry_the_request(caplog: pytest.LogCaptureFixture) -> None:
    ctx = Context(Request("r-1", None, {}, {}), Facts({}, Scope(0, lambda: -1.0)), lambda: -1.0)
    ctx.log.warning("odd %s", "weather")
    assert [(r.getMessage(), r.request_id) for r in caplog.records] == [("odd weather", "r-1")]  # type: ignore[attr-defined]
    assert ctx.remaining() == 0.0


def test_prediction_ids_are_short_unique_and_tell_the_revision() -> None:
    ids, other = Ids("flow-1a2b3c4d"), Ids("flow-99999999")
    made = {ids.new(1_700_000_000_000_000_000) for _ in range(1000)}
    assert len(made) == 1000
    assert {len(one) for one in made} == {22}
    assert len({one[:13] for one in made}) == 1
    assert other.new(1_700_000_000_000_000_000)[:5] != next(iter(made))[:5]


@pytest.mark.parametrize("context", [{"x": 1.0, "sleep": 5}, {}, {"x": 1.0}])
async def test_what_is_expected_leaves_no_cycle_that_keeps_the_request(context: dict[str, Any]) -> None:
    dataplane = _dataplane([], 0.03)
    dataplane.sink = None
    gc.collect()
    gc.disable()
    try:
        prediction = await dataplane.predict(ROUTE, _body(**context) if context else b"{}")
        kept = weakref.ref(prediction)
        del prediction
        await asyncio.sleep(0)  # the event loop lets go of what it has just run
        assert kept() is None
    finally:
        gc.enable()
