"""Workflows are foreign code: whatever they do ends, at most, their own request."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, Field
from tests.unit.runtime.predict.planes import ROUTE, Flow, body, plane

from turnout_runtime.facts import FactRule, Found, Scope
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.workflow import Context, Decision, Features, Workflow, threaded
from turnout_runtime.workflow.schema import decision_schema


class Small(Workflow):
    feature_names = ("x",)

    def features(self, ctx: Context) -> Features:
        return [1.0]

    def predict(self, ctx: Context, features: Features) -> Any:
        return 0.5

    def decide(self, ctx: Context, score: float) -> Any:
        return Decision("d", score, 1.0)


async def test_a_def_in_a_thread_may_hand_out_what_is_to_be_awaited() -> None:
    class Lazy(Small):
        @threaded
        def fetch(self, ctx: Context) -> Any:
            return ctx.facts.fetch(f="0")

        @threaded
        def predict(self, ctx: Context, features: Features) -> Any:
            return self.score(ctx, features)

        @threaded
        def decide(self, ctx: Context, score: float) -> Any:
            async def later() -> Decision:
                return Decision("d", score, 1.0)

            return later()

    one = plane([], Lazy())
    prediction = await one.predict(ROUTE, body())
    assert (prediction.error, prediction.facts["f"].source) == (None, "live")
    one.close()


class Broken(BaseException):
    """What extension modules raise when they panic."""


@pytest.mark.parametrize("error", [StopIteration, SystemExit, Broken])
@pytest.mark.parametrize("mark", [threaded, lambda stage: stage])
@pytest.mark.parametrize("stage", ["features", "decide"])
async def test_what_is_no_ordinary_error_ends_one_request(error: Any, mark: Any, stage: str) -> None:
    def fail(ctx: Context, *_: Any) -> Any:
        raise error

    flow, seen = Small(), list[Prediction]()
    setattr(flow, stage, mark(fail))
    one = plane(seen, flow)
    prediction = await asyncio.wait_for(one.predict(ROUTE, body()), 1)
    assert (prediction.status, seen) == ("error", [prediction])
    assert one.admission is not None
    assert one.admission.active == 0
    flow.safe_default = Decision("safe", 0.0, 0.0)
    flow.rules = fail  # type: ignore[assignment]
    assert (await plane([], flow).predict(ROUTE, body())).fallback == "default"
    one.close()


async def test_threads_that_hang_do_not_pile_up_what_waits_behind_them() -> None:
    ending = threading.Event()

    class Hanging(Small):
        @threaded
        def features(self, ctx: Context) -> Features:
            ending.wait(10)
            return [1.0]

    one = plane([], Hanging(), timeoutSeconds=0.02, concurrency=64)
    try:
        for _ in range(6):
            await asyncio.gather(*(one.predict(ROUTE, body()) for _ in range(20)))
        gc.collect()
        assert sum(type(thing) is Context for thing in gc.get_objects()) < 40
    finally:
        ending.set()
        one.close()


async def test_a_stream_that_is_broken_off_is_closed_at_once() -> None:
    ended: list[str] = []

    class Stream(Small):
        async def decide(self, ctx: Context, score: float) -> AsyncIterator[Any]:  # type: ignore[override]
            try:
                yield "chunk"
                yield Decision("d", score, 1.0)
            finally:
                ended.append("closed")

    async def broken(chunk: Any) -> None:
        raise ConnectionError

    prediction = await plane([], Stream()).predict(ROUTE, body(), emit=broken)
    assert (prediction.error_type, ended) == ("ConnectionError", ["closed"])


class Delay(BaseModel):
    minutes: Any = Field(serialization_alias="delayMinutes", default=None)


def _detailed(details: BaseModel) -> Workflow:
    class Detailed(Small):
        details_model = Delay

        def decide(self, ctx: Context, score: float) -> Any:
            return Decision("d", score, 1.0, details=details)

    return Detailed()


async def test_details_are_named_as_their_schema_says() -> None:
    flow = _detailed(Delay(minutes=3))
    prediction = await plane([], flow).predict(ROUTE, body())
    declared = decision_schema(flow)["properties"]["details"]["anyOf"][0]["properties"]
    assert list(declared) == list(answer(prediction, "v")["details"]) == ["delayMinutes"]


async def test_details_that_a_workflow_changes_later_are_what_they_were() -> None:
    details = Delay(minutes=[1])
    prediction = await plane([], _detailed(details)).predict(ROUTE, body())
    details.minutes.append(2)
    assert answer(prediction, "v")["details"] == {"delayMinutes": [1]}


@pytest.mark.parametrize("odd", [object(), "\ud800", {1: 2}.keys(), float("nan")])
async def test_details_that_are_no_json_are_the_workflows_failure(odd: Any) -> None:
    prediction = await plane([], _detailed(Delay(minutes=odd))).predict(ROUTE, body())
    if prediction.error is None:
        assert orjson.dumps(answer(prediction, "v"))
    else:
        assert prediction.error_type == "WorkflowError"
    assert Encoder(Identity("n", "m", "r", "d"))(prediction)


@pytest.mark.parametrize("step", [3, "", "\ud800", None])
async def test_a_step_that_is_no_name_is_the_workflows_failure(step: Any) -> None:
    class Stepping(Small):
        def features(self, ctx: Context) -> Features:
            ctx.fallback(step)
            return [1.0]

    assert (await plane([], Stepping()).predict(ROUTE, body())).error_type == "WorkflowError"


async def test_a_score_beyond_all_floats_is_no_number() -> None:
    class Huge(Small):
        def predict(self, ctx: Context, features: Features) -> Any:
            return 10**400

    prediction = await plane([], Huge()).predict(ROUTE, body())
    assert prediction.error_type == "WorkflowError"
    assert (await plane([]).predict(ROUTE, {"features": [10**400]})).status == "invalid"


@pytest.mark.parametrize("field", ["request_id", "entity_id"])
async def test_an_id_that_no_json_can_hold_is_the_callers_fault(field: str) -> None:
    prediction = await plane([]).predict(ROUTE, {field: "\ud800", "context": {}})
    assert prediction.status == "invalid"
    assert str(prediction.error).startswith(field)


class Now:
    def get(self, key: str, scope: Scope) -> Found:
        return Found({"v": key})


@pytest.mark.parametrize("name", ["fetch", "prediction", "self", "args"])
async def test_a_fact_may_have_any_name(name: str) -> None:
    class Refined(Small):
        async def fetch(self, ctx: Context) -> None:  # type: ignore[override]
            await ctx.facts.fetch(**{name: "1"})

        def refine(self, ctx: Context, score: float) -> Mapping[str, str | None]:
            return {name: "2"}

    one = Dataplane(workflow=Refined(), facts={name: FactRule(Now(), 1.0)})
    prediction = await one.predict(ROUTE, body())
    assert prediction.error is None
    assert prediction.facts[name].value == {"v": "2"}


class Odd:
    """A source of values that JSON cannot hold."""

    def get(self, key: str, scope: Scope) -> Found:
        return Found({"big": 2**70, "keys": {1: 2}, "text": "\ud800", "set": {1}})


async def test_odd_facts_and_features_cost_no_record() -> None:
    class Reading(Small):
        async def fetch(self, ctx: Context) -> None:  # type: ignore[override]
            await ctx.facts.fetch(odd="k")

        def features(self, ctx: Context) -> Features:
            return [2**70]

    one = Dataplane(workflow=Reading(), facts={"odd": FactRule(Odd(), 1.0)})
    prediction = await one.predict(ROUTE, body())
    assert prediction.error is None
    record = orjson.loads(Encoder(Identity("n", "m", "r", "d"))(prediction))
    assert record["features"] == {"x": str(2**70)}
    assert record["facts"]["odd"]["value"]["big"] == str(2**70)
    assert record["facts"]["odd"]["value"]["keys"] == {"1": 2}
    assert record["context"] == {"x": 1.0}


async def test_the_log_of_a_workflow_keeps_its_own_fields(caplog: pytest.LogCaptureFixture) -> None:
    class Telling(Flow):
        async def fetch(self, ctx: Context) -> None:
            ctx.log.info("asking", extra={"carrier": "AA"})

    with caplog.at_level(logging.INFO, "turnout.workflow"):
        await plane([], Telling()).predict(ROUTE, body("r-1"))
    told = vars(caplog.records[0])
    assert (told["request_id"], told["carrier"]) == ("r-1", "AA")
