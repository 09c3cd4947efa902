import asyncio
import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.runtime.predict.planes import ROUTE, Flow, Streaming, body, plane

from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.stage import Stage, Threads
from turnout_runtime.workflow import Context, Decision, Features, Workflow, inline, threaded


class Plain(Workflow):
    """All stages without async; each notes where it ran."""

    feature_names = ("x", "y")

    def __init__(self) -> None:
        self.ran: dict[str, str] = {}

    def fetch(self, ctx: Context) -> None:
        self._note("fetch")

    def features(self, ctx: Context) -> Features:
        self._note("features")
        return {"y": 2.0, "x": ctx.request.context["x"]}

    def predict(self, ctx: Context, features: Features) -> float:
        self._note("predict")
        assert isinstance(features, Mapping)
        return features["x"] + features["y"]

    def decide(self, ctx: Context, score: float) -> Decision:
        self._note("decide")
        return Decision("d", score, 1.0)

    def _note(self, stage: str) -> None:
        self.ran[stage] = threading.current_thread().name


class InThreads(Plain):
    @threaded
    def fetch(self, ctx: Context) -> None:
        super().fetch(ctx)

    @threaded
    def features(self, ctx: Context) -> Features:
        return super().features(ctx)

    @threaded
    def predict(self, ctx: Context, features: Features) -> float:
        return super().predict(ctx, features)

    @threaded
    def decide(self, ctx: Context, score: float) -> Decision:
        return super().decide(ctx, score)


@pytest.mark.parametrize("kind", [Plain, InThreads])
async def test_plain_stages_run_on_the_loop_or_in_threads(kind: type[Plain]) -> None:
    flow = kind()
    one = plane([], flow)
    prediction = await one.predict(ROUTE, body(x=5.0))
    assert prediction.error is None
    assert prediction.decision == Decision("d", 7.0, 1.0)
    assert prediction.features == {"y": 2.0, "x": 5.0}
    here = threading.current_thread().name
    assert {stage: name == here for stage, name in flow.ran.items()} == dict.fromkeys(
        ("fetch", "features", "predict", "decide"), kind is Plain
    )
    one.close()


async def test_a_stage_that_proves_slow_moves_to_a_thread_once(caplog: pytest.LogCaptureFixture) -> None:
    class Heavy(Plain):
        def features(self, ctx: Context) -> Features:
            time.sleep(0.01)
            return super().features(ctx)

    flow, seen = Heavy(), list[Prediction]()
    one = plane(seen, flow)
    with caplog.at_level(logging.WARNING, "turnout.predict"):
        for _ in range(12):
            await one.predict(ROUTE, body())
    assert flow.ran["features"].startswith("turnout-stage")
    assert flow.ran["decide"] == threading.current_thread().name
    assert [record.stage for record in caplog.records] == ["features"]  # type: ignore[attr-defined]
    assert {p.status for p in seen} == {"ok"}
    later = plane(seen, flow)
    flow.ran.clear()
    await later.predict(ROUTE, body())
    assert flow.ran["features"].startswith("turnout-stage")  # what warm-up found out is known when it serves
    one.close()
    later.close()


async def test_a_slow_stage_in_a_thread_does_not_keep_others_waiting() -> None:
    class Mixed(Plain):
        @threaded
        def features(self, ctx: Context) -> Features:
            time.sleep(ctx.request.context["sleep"])
            return super().features(ctx)

    one = plane([], Mixed())
    slow = asyncio.create_task(one.predict(ROUTE, body(sleep=0.5)))
    await asyncio.sleep(0.05)
    quick = await one.predict(ROUTE, body(sleep=0))
    assert quick.total < 0.3
    assert not slow.done()
    assert (await slow).status == "ok"
    one.close()


async def test_a_single_pause_and_a_mark_keep_a_stage_where_it_is() -> None:
    pauses = iter([0.1] + [0.0] * 40)
    stage = Stage("decide", lambda: time.sleep(next(pauses)), Threads())
    for _ in range(40):
        stage()
    assert not stage.offloaded
    marked = Stage("decide", inline(lambda: time.sleep(0.01)), Threads())
    for _ in range(10):
        marked()
    assert not marked.offloaded


class Curious(Flow):
    feature_names = ("x",)

    def refine(self, ctx: Context, score: float) -> Mapping[str, str | None] | None:
        return {"f": ctx.request.context["wanted"]} if "wanted" in ctx.request.context else None

    async def features(self, ctx: Context) -> Features:  # type: ignore[override]
        return [ctx.request.context["x"] + (10.0 if ctx.facts_pass == 2 and ctx.facts["f"] else 0.0)]


async def test_a_second_pass_sees_the_expensive_facts() -> None:
    one = plane([], Curious())
    first, second = [await one.predict(ROUTE, body(**more)) for more in ({}, {"wanted": "0"})]
    assert (first.passes, first.features, dict(first.facts)) == (1, {"x": 1.0}, {})
    assert (second.passes, second.features, second.facts["f"].source) == (2, {"x": 11.0}, "live")
    assert (second.decision.score, list(second.stages)) == (12.0, ["queue", "facts", "features", "model", "decide"])  # type: ignore[union-attr]
    assert [stage for stage, _ in second.marks].count("model") == 2
    assert sum(second.stages.values()) <= second.total
    assert json.loads(Encoder(Identity("n", "m", "r", "d"))(second))["passes"] == 2


async def test_chunks_go_to_whom_listens_and_the_decision_to_everybody() -> None:
    chunks: list[Any] = []

    async def emit(chunk: Any) -> None:
        chunks.append(chunk)

    one = plane([], Streaming())
    question = body(chunks=["a", {"b": 1}])
    heard, unheard = await one.predict(ROUTE, question, emit=emit), await one.predict(ROUTE, question)
    assert chunks == ["a", {"b": 1}]
    assert heard.decision == unheard.decision == Decision("done", 2.0, 1.0)


async def test_a_stream_must_end_with_its_decision() -> None:
    class Endless(Streaming):
        async def decide(self, ctx: Context, score: float) -> Any:  # type: ignore[override]
            yield Decision("done", score, 1.0)
            yield "more"

    class Empty(Streaming):
        async def decide(self, ctx: Context, score: float) -> Any:  # type: ignore[override]
            yield "only a chunk"

    for flow in (Endless(), Empty()):
        prediction = await plane([], flow).predict(ROUTE, body())
        assert (prediction.status, prediction.error_type) == ("error", "WorkflowError")


async def test_a_stream_is_cut_at_the_deadline() -> None:
    prediction = await plane([], Streaming(), timeoutSeconds=0.05).predict(ROUTE, body(sleep={"decide": 5}))
    assert prediction.status == "timeout"


async def test_precomputed_features_skip_facts_and_features() -> None:
    one = plane([], timeoutSeconds=1.0)
    prediction = await one.predict(ROUTE, {"features": [4], "context": {"raise": "features"}})
    assert (prediction.status, prediction.features, prediction.passes) == ("ok", {"x": 4.0}, 1)
    assert prediction.decision is not None
    assert prediction.decision.score == 5.0
    assert list(prediction.stages) == ["queue", "model", "decide"]
    assert (await one.predict(ROUTE, {"features": [1]})).status == "ok"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"features": [1, 2]}, "features: must be the 1"),
        ({"features": "1"}, None),
        ({"features": ["a"]}, "features: must be a list of numbers"),
        ({"features": 1}, "features: must be a list of numbers"),
        (b'{"features": [1], "context": {}}', "features: no such field"),
    ],
)
async def test_wrong_precomputed_features_are_the_callers_fault(document: Any, told: str | None) -> None:
    prediction = await plane([]).predict(ROUTE, document)
    if told is None:
        assert prediction.features == {"x": 1.0}
    else:
        assert prediction.status == "invalid"
        assert str(prediction.error).startswith(told)


async def test_the_context_tells_the_workflow_all_about_the_request() -> None:
    told: list[Any] = []

    class Telling(Flow):
        async def decide(self, ctx: Context, score: float) -> Decision:
            told.append((ctx.arm, ctx.policy_version, ctx.shadow, ctx.now.isoformat(), ctx.input, ctx.facts_pass))
            told.append((0 < ctx.remaining() <= 0.5, list(ctx.models), dict(ctx.artifacts)))
            return Decision("d", score, 1.0)

    route = ROUTE._replace(shadow=True, timeout=0.5)
    await plane([], Telling()).predict(route, body(), time_ns=1_372_636_800_123_456_789)
    assert told == [
        ("main", "v1", True, "2013-07-01T00:00:00.123456+00:00", {"x": 1.0}, 1), (True, ["m"], {}),
    ]  # fmt: skip
