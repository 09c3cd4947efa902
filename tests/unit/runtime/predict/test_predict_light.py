"""What a dataplane does for requests without a task, it does as for those with one."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.predict.planes import ROUTE, body, plane, with_default

from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.turn import Turn
from turnout_runtime.workflow import Context, Decision, Features, Workflow


class Light(Workflow):
    model = "m"
    feature_names = ("x",)

    def features(self, ctx: Context) -> Any:
        return [ctx.request.context["x"]]

    def decide(self, ctx: Context, score: float) -> Any:
        return Decision("yes", score, 0.5)


class Named(Light):
    def features(self, ctx: Context) -> Any:
        return {"x": ctx.request.context["x"]}


class Waiting(Light):
    async def features(self, ctx: Context) -> Features:  # type: ignore[override]
        async with asyncio.timeout(1):  # which needs a task
            await asyncio.sleep(0.001)
        return [ctx.request.context["x"]]


class Late(Light):
    async def decide(self, ctx: Context, score: float) -> Decision:
        await asyncio.sleep(0.001)
        return Decision("yes", score, 0.5)


class Chunks(Light):
    async def decide(self, ctx: Context, score: float) -> AsyncIterator[Any]:  # type: ignore[override]
        yield {"chunk": 1}
        yield Decision("yes", score, 0.5)


class Failing(Light):
    def decide(self, ctx: Context, score: float) -> Decision:
        raise KeyError("secret detail")


class Cancelling(Light):
    def features(self, ctx: Context) -> Any:
        raise asyncio.CancelledError


class Hanging(Light):
    async def features(self, ctx: Context) -> Features:  # type: ignore[override]
        await asyncio.sleep(5)
        return [1.0]


async def driven(plane: Dataplane, sent: bytes) -> Prediction:
    """Ask as the door does."""
    turn: Turn[Prediction] = Turn()
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    turn.then(told.set_result)
    turn.begin(plane.predict(ROUTE, sent, turn=turn))
    result = await told
    assert isinstance(result, Prediction), result
    return result


def _told(prediction: Prediction) -> tuple[Any, ...]:
    marks = [stage for stage, _ in prediction.marks]
    return prediction.status, prediction.error_type, prediction.decision, prediction.fallback, marks


@pytest.mark.parametrize("flow", [Light, Named, Waiting, Late, Chunks, Failing, Cancelling])
@pytest.mark.parametrize("sent", [body(), b"{}", b'{"context": {}}'])
async def test_it_ends_as_with_a_task(flow: type[Workflow], sent: bytes) -> None:
    seen: list[Prediction] = []
    got = await driven(plane(seen, flow()), sent)
    wanted = await plane(seen, flow()).predict(ROUTE, sent)
    assert _told(got) == _told(wanted)
    assert seen == [got, wanted]


@pytest.mark.parametrize("flow", [Failing, Cancelling])
async def test_it_falls_back_as_with_a_task(flow: type[Workflow]) -> None:
    got = await driven(plane([], with_default(flow)), body())
    assert (got.status, got.fallback) == ("ok", "default")


@pytest.mark.parametrize(("flow", "stays"), [(Light, True), (Named, True), (Waiting, False), (Late, False)])
async def test_a_workflow_that_waits_has_tasks_from_then_on(flow: type[Workflow], stays: bool) -> None:
    made = plane([], flow())
    await driven(made, body())
    assert made._pipeline.light is stays


class Fetching(Light):
    async def fetch(self, ctx: Context) -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("flow", "limits"),
    [(Fetching, {}), (Light, {"budget": {"inferenceSeconds": 0.1}}), (Light, {"idempotency": {"windowSeconds": 10.0}})],
)
async def test_what_may_wait_for_anything_else_has_a_task(flow: type[Workflow], limits: dict[str, Any]) -> None:
    got = await driven(plane([], flow(), **limits), body("r-1"))
    assert (got.status, got.turn) == ("ok", None)


async def test_places_are_taken_before_anything_else_can_come() -> None:
    seen: list[Prediction] = []
    made = plane(seen, Light(), concurrency=1, maxQueueDepth=1)
    assert made.admission is not None
    told: list[Any] = []
    for _ in range(3):
        turn: Turn[Prediction] = Turn()
        turn.then(told.append)
        turn.begin(made.predict(ROUTE, body(), turn=turn))
    assert [prediction.error_type for prediction in told] == ["queue_full"]
    assert (made.admission.active, made.admission.depth) == (1, 1)
    await asyncio.sleep(0.01)
    assert [prediction.status for prediction in told] == ["shed", "ok", "ok"]
    assert told[2].stages["queue"] > 0
    assert (made.admission.active, made.admission.depth) == (0, 0)


@pytest.mark.parametrize("given", [False, True])
async def test_who_leaves_the_queue_leaves_no_hole(given: bool) -> None:
    seen: list[Prediction] = []
    made = plane(seen, Light(), concurrency=1)
    assert made.admission is not None
    made.admission.try_enter()
    turn: Turn[Prediction] = Turn()
    turn.begin(made.predict(ROUTE, body(), turn=turn))
    if given:
        made.admission.leave()  # the place is on its way
    turn.cancel()
    if not given:
        made.admission.leave()
    await asyncio.sleep(0)
    assert [prediction.error_type for prediction in seen] == ["CallerGone"]
    assert (made.admission.active, made.admission.depth) == (0, 0)


@pytest.mark.parametrize(("wait", "timeout", "error"), [(0.02, 1.0, "queue_wait"), (1.0, 0.02, "timeout")])
async def test_the_wait_for_a_place_ends(wait: float, timeout: float, error: str) -> None:
    made = plane([], Light(), concurrency=1, maxQueueWaitSeconds=wait, timeoutSeconds=timeout)
    assert made.admission is not None
    made.admission.try_enter()
    got = await driven(made, body())
    assert got.error_type == error
    assert made.admission.depth == 0


async def test_who_leaves_while_the_batch_waits_is_recorded_and_frees_the_place() -> None:
    seen: list[Prediction] = []
    made = plane(seen, Light())
    turn: Turn[Prediction] = Turn()
    turn.begin(made.predict(ROUTE, body(), turn=turn))
    assert made.admission is not None
    assert made.admission.active == 1
    turn.cancel()
    assert [prediction.error_type for prediction in seen] == ["CallerGone"]
    assert made.admission.active == 0
    await asyncio.sleep(0.01)
    assert len(seen) == 1


async def test_a_hanging_stage_and_a_slow_model_end_at_the_limit() -> None:
    hanging = await driven(plane([], Hanging(), timeoutSeconds=0.05), body())
    assert hanging.status == "timeout"

    def slow(rows: Sequence[Any]) -> list[float]:
        time.sleep(0.2)
        return [1.0 for _ in rows]

    made = plane([], Light(), timeoutSeconds=0.05)
    model = Model("m", Path("m"), Loaded(slow, 1))
    model.measured(0.01)
    made.workflow.models = {"m": model}
    began = time.perf_counter()
    late = await driven(made, body())
    assert late.status == "timeout"
    assert time.perf_counter() - began < 0.15
    await model.close()
