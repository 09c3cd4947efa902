import asyncio
import contextlib
import json
from typing import Any

import pytest
from tests.unit.runtime.predict.planes import ROUTE, Flow, act, body, plane, with_default

from turnout_runtime.errors import InvalidRequest, RequestTimeout
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.workflow import Context, Decision

CACHE = {"ttlSeconds": 0.01, "staleIfErrorSeconds": 60, "keyFields": ["context.x"]}


class Ruled(Flow):
    safe_default = Decision("safe", 0.0, 0.0)

    async def fetch(self, ctx: Context) -> None:
        if ctx.request.context.get("invalid"):
            raise InvalidRequest("context.x: is odd")
        await act(ctx, "fetch")

    def rules(self, ctx: Context, error: Exception) -> Decision | None:
        match ctx.request.context.get("rules", "answer"):
            case "answer":
                return Decision(f"by rule: {type(error).__name__}", 0.25, 0.0)
            case "raise":
                raise ZeroDivisionError
            case "nan":
                return Decision("no number", float("nan"), 0.0)
        return None


async def _one(flow: Flow | None, limits: dict[str, Any], **context: Any) -> Prediction:
    return await plane([], flow, **limits).predict(ROUTE, body(**context))


async def test_an_answer_for_another_arm_is_a_fallback() -> None:
    stand_in = ROUTE._replace(arm="spare", propensity=None, fallback_from="main")
    prediction = await plane([]).predict(stand_in, body())
    record = json.loads(Encoder(Identity("n", "m", "r", "d"))(prediction))
    assert [answer(prediction, "r")[name] for name in ("fallback_used", "fallback")] == [True, "arm"]
    assert [record[name] for name in ("arm", "propensity", "fallback_used", "fallback", "fallback_reason")] == [
        "spare", None, True, "arm", "main"
    ]  # fmt: skip


@pytest.mark.parametrize("stage", ["fetch", "features", "predict", "decide"])
async def test_rules_answer_when_a_stage_fails(stage: str) -> None:
    prediction = await _one(Ruled(), {}, **{"raise": stage})
    assert (prediction.status, prediction.error) == ("ok", None)
    assert (prediction.fallback, prediction.fallback_reason) == ("rules", "KeyError")
    assert answer(prediction, "r")["decision"] == "by rule: KeyError"
    assert (answer(prediction, "r")["fallback_used"], answer(prediction, "r")["fallback"]) == (True, "rules")


@pytest.mark.parametrize("stage", ["fetch", "features", "predict", "decide"])
async def test_rules_answer_when_the_time_is_over(stage: str) -> None:
    prediction = await _one(Ruled(), {"timeoutSeconds": 0.1}, sleep={stage: 5})
    assert (prediction.status, prediction.fallback, prediction.fallback_reason) == ("ok", "rules", "timeout")
    assert prediction.total < 1


@pytest.mark.parametrize("rules", ["none", "raise", "nan"])
async def test_the_safe_default_is_below_rules_that_do_not_answer(rules: str) -> None:
    prediction = await _one(Ruled(), {}, rules=rules, **{"raise": "decide"})
    assert prediction.decision == Ruled.safe_default
    assert (prediction.status, prediction.fallback, prediction.fallback_reason) == ("ok", "default", "KeyError")


async def test_without_rungs_the_error_is_the_end() -> None:
    prediction = await _one(None, {}, **{"raise": "decide"})
    assert (prediction.status, prediction.error_type, prediction.decision) == ("error", "KeyError", None)
    assert not prediction.fallback_used


async def test_a_callers_fault_never_reaches_the_ladder() -> None:
    prediction = await _one(Ruled(), {}, invalid=True)
    assert (prediction.status, prediction.error_type, prediction.decision) == ("invalid", "invalid-request", None)


async def test_a_remembered_answer_is_the_first_rung() -> None:
    seen: list[Prediction] = []
    one = plane(seen, Ruled(), cache=CACHE)
    fresh = await one.predict(ROUTE, body(x=3.0))
    await asyncio.sleep(0.02)
    stale = await one.predict(ROUTE, body(x=3.0, **{"raise": "predict"}))
    other = await one.predict(ROUTE, body(x=4.0, **{"raise": "predict"}))
    assert stale.decision == fresh.decision
    assert (stale.cache, stale.fallback, stale.fallback_reason) == ("stale", "cached", "KeyError")
    assert (other.cache, other.fallback) == ("miss", "rules")
    record = json.loads(Encoder(Identity("n", "m", "r", "d"))(stale))
    assert record["cache"]["status"] == "stale"
    assert record["cache"]["age_ms"] >= 20
    assert (record["fallback"], record["fallback_used"], record["status"]) == ("cached", True, "ok")


async def test_a_future_that_was_cancelled_is_the_workflows_failure_and_not_the_callers() -> None:
    class Cancelled(Flow):
        async def fetch(self, ctx: Context) -> None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    prediction = await _one(with_default(Cancelled), {})  # type: ignore[arg-type]
    assert (prediction.fallback, prediction.fallback_reason) == ("default", "WorkflowError")
    assert (await _one(Cancelled(), {})).error_type == "WorkflowError"


async def test_a_workflow_that_swallows_its_cancellation_is_late_all_the_same() -> None:
    class Stubborn(Flow):
        async def fetch(self, ctx: Context) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(5)

    prediction = await _one(Stubborn(), {"timeoutSeconds": 0.05})
    assert isinstance(prediction.error, RequestTimeout)


@pytest.mark.parametrize(
    ("context", "fallback", "reason"),
    [
        ({}, None, None),
        ({"fact": "0"}, None, None),
        ({"fact": "never"}, "facts", "f: timeout"),
        ({"fact": "never", "step": "my-step"}, "my-step", None),
        ({"flag": True}, "workflow", None),
    ],
)
async def test_a_workflows_own_answer_says_what_it_rests_on(
    context: dict[str, Any], fallback: str | None, reason: str | None
) -> None:
    prediction = await _one(None, {"budget": {"factsSeconds": 0.02}}, **context)
    assert (prediction.status, prediction.fallback, prediction.fallback_reason) == ("ok", fallback, reason)


async def test_the_queue_is_no_part_of_the_workflow() -> None:
    seen: list[Prediction] = []
    one = plane(seen, Ruled(), concurrency=1, maxQueueDepth=1, maxQueueWaitSeconds=0.02)
    await asyncio.gather(*(one.predict(ROUTE, body(sleep={"fetch": 0.1})) for _ in range(3)))
    assert sorted((p.status, p.error_type, p.fallback) for p in seen) == [
        ("ok", None, None), ("shed", "queue_full", None), ("shed", "queue_wait", None),
    ]  # fmt: skip
