import asyncio
import logging
import time
from typing import Any

import pytest
from tests.unit.runtime.predict.planes import ROUTE, Flow, body, plane, with_default

from turnout_runtime.errors import RequestTimeout, StageTimeout
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.workflow import Context, Decision, Workflow


async def test_facts_fall_back_when_their_budget_is_spent(caplog: pytest.LogCaptureFixture) -> None:
    one = plane([], budget={"factsSeconds": 0.03})
    with caplog.at_level(logging.WARNING, "turnout.predict"):
        prediction = await one.predict(ROUTE, body(fact="never"))
    assert prediction.status == "ok"
    assert (prediction.facts["f"].source, prediction.facts["f"].reason) == ("fallback", "timeout")
    assert (prediction.exceeded, prediction.fallback) == (("facts",), "facts")
    assert 0.025 < prediction.stages["facts"] < 0.5
    assert [record.budget for record in caplog.records] == ["facts"]  # type: ignore[attr-defined]


async def test_facts_fall_back_also_when_the_loop_is_late_for_both_timers() -> None:
    one = plane([], budget={"factsSeconds": 0.02})
    for _ in range(5):
        asyncio.get_running_loop().call_later(0.015, time.sleep, 0.03)
        prediction = await one.predict(ROUTE, body(fact="never"))
        assert (prediction.status, prediction.fallback) == ("ok", "facts")


async def test_facts_of_later_stages_have_the_time_that_is_left() -> None:
    class Late(Flow):
        fetch = Workflow.fetch  # type: ignore[assignment]

        async def decide(self, ctx: Context, score: float) -> Decision:
            await ctx.facts.fetch(f="never")
            return Decision("d", score, 1.0)

    one = plane([], Late(), timeoutSeconds=0.4, budget={"postprocessSeconds": 0.3})
    prediction = await one.predict(ROUTE, body())
    assert (prediction.status, prediction.facts["f"].reason) == ("ok", "timeout")


@pytest.mark.parametrize(
    ("stage", "budget", "name"),
    [("fetch", "factsSeconds", "facts"), ("predict", "inferenceSeconds", "inference")],
)
async def test_a_stage_that_hangs_is_cut_at_its_budget(stage: str, budget: str, name: str) -> None:
    hung = body(sleep={stage: 5})
    prediction = await plane([], budget={budget: 0.03}).predict(ROUTE, hung)
    assert isinstance(prediction.error, StageTimeout)
    assert (prediction.status, prediction.error_type, prediction.exceeded) == ("timeout", f"{name}-timeout", (name,))
    assert prediction.total < 1
    saved = await plane([], with_default(), budget={budget: 0.03}).predict(ROUTE, hung)
    assert (saved.status, saved.fallback, saved.fallback_reason) == ("ok", "default", f"{name}-timeout")
    assert saved.exceeded == (name,)


async def test_time_to_decide_is_kept_in_reserve() -> None:
    one = plane([], with_default(), timeoutSeconds=0.5, budget={"postprocessSeconds": 0.3})
    prediction = await one.predict(ROUTE, body(sleep={"fetch": 5}))
    assert prediction.fallback == "default"
    assert 0.15 < prediction.total < 0.45
    late = await one.predict(ROUTE, body(sleep={"decide": 0.35}))
    assert (late.status, late.exceeded) == ("ok", ("postprocess",))


@pytest.mark.parametrize("announced", [None, 0.05])
async def test_the_least_of_both_deadlines_counts(announced: float | None) -> None:
    one = plane([], timeoutSeconds=0.2)
    prediction = await one.predict(ROUTE._replace(timeout=announced), body(sleep={"fetch": 5}))
    assert prediction.status == "timeout"
    assert (prediction.total < 0.15) is (announced is not None)
    assert not (await one.predict(ROUTE._replace(timeout=3600.0), body())).error


@pytest.mark.parametrize("announced", [0.002, 0.006, 0.0])
async def test_a_short_timeout_leaves_time_to_fall_back_and_time_to_work(announced: float) -> None:
    seen: list[Prediction] = []
    await plane(seen, with_default()).predict(ROUTE._replace(timeout=announced), body())
    assert seen[0].deadline - seen[0].started == pytest.approx(announced)
    assert seen[0].limit - seen[0].started == pytest.approx(max(announced / 2, announced - 0.005))


async def test_time_counts_from_the_headers() -> None:
    one = plane([], timeoutSeconds=0.2)
    prediction = await one.predict(ROUTE, body(), started=time.perf_counter() - 1)
    assert (prediction.status, prediction.total > 1) == ("timeout", True)


async def test_a_model_is_not_run_when_its_time_is_over() -> None:
    ran = []

    class Blocking(Flow):
        def features(self, ctx: Context) -> list[float]:  # type: ignore[override]
            time.sleep(0.1)
            return [1.0]

        async def predict(self, ctx: Context, features: Any) -> float:
            ran.append(1)
            return 1.0

    prediction = await plane([], Blocking(), timeoutSeconds=0.05).predict(ROUTE, body())
    assert (prediction.status, ran) == ("timeout", [])


async def test_without_limits_nothing_is_limited() -> None:
    from turnout_runtime.predict.dataplane import Dataplane

    class Free(Flow):
        model = None

        async def decide(self, ctx: Context, score: float) -> Decision:
            return Decision(str(ctx.remaining()), score, 1.0)

    prediction = await Dataplane(workflow=Free()).predict(ROUTE._replace(timeout=None), body(sleep={"fetch": 0.01}))
    assert prediction.decision == Decision("inf", 0.0, 1.0)


async def test_limits_of_any_order_expire_each_at_its_time() -> None:
    expiry = Expiry()
    began = time.perf_counter()

    async def request(seconds: float, needs: float) -> float | None:
        try:
            with expiry.until(time.perf_counter() + seconds):
                await asyncio.sleep(needs)
        except RequestTimeout:
            return time.perf_counter() - began - seconds
        return None

    limits = (0.3, 0.1, 0.2, 0.05, 0.3, 0.15)
    late = await asyncio.gather(*(request(seconds, 5) for seconds in limits), *(request(s, 0.01) for s in limits))
    assert all(part is not None and -0.002 < part < 0.2 for part in late[:6])
    assert late[6:] == [None] * 6
    with pytest.raises(RequestTimeout), expiry.until(time.perf_counter()):
        raise AssertionError


async def test_limits_nest_and_the_outer_one_wins() -> None:
    outer, inner = Expiry(), Expiry(stage="inference")
    now = time.perf_counter()
    with pytest.raises(RequestTimeout), outer.until(now + 0.02), inner.until(now + 0.02):
        await asyncio.sleep(1)
    with outer.until(time.perf_counter() + 1):
        with pytest.raises(StageTimeout), inner.until(time.perf_counter() + 0.02):
            await asyncio.sleep(1)
        await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
