"""Requests that are turned away: at once while they are few; later, in order and with their rows, when they are not."""

import asyncio
import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.serve.api.replies import Replies
from turnout_runtime.serve.api.shedding import RATE, Late, Shedding
from turnout_runtime.serve.http1 import Request
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.workflow import Context, Decision, Workflow


class Flow(Workflow):
    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("yes", score, 0.5)


class Clock:
    """Stands until it is told to go: on a busy machine the time that it takes to send some requests is any."""

    def __init__(self) -> None:
        self._stands: float | None = perf_counter()

    def __call__(self) -> float:
        return perf_counter() if self._stands is None else self._stands

    def go(self) -> None:
        self._stands = None


def _shedding(seen: list[Prediction], clock: Callable[[], float] = perf_counter) -> Shedding:
    plane = Dataplane(workflow=Flow(), admission=Admission(0, 0, 1.0), sink=seen.append)
    return Shedding(plane, Replies(Readiness(Phase.READY), "rev"), clock)


def _request(number: int = 0) -> Request:
    request = Request()
    request.route, request.started, request.body = Route("o", request_id=f"r-{number}"), 1.0, b"x" * 100
    return request


async def test_few_are_told_at_once() -> None:
    seen: list[Prediction] = []
    answer = _shedding(seen).shed(_request(7))
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429")
    assert b"Retry-After: 1" in head
    assert json.loads(body)["request_id"] == "r-7"
    assert [(p.status, p.error_type) for p in seen] == [("shed", "queue_full")]
    assert seen[0].total > 0


async def test_many_are_told_in_their_order_and_no_faster_than_leaves_time_for_the_accepted() -> None:
    seen: list[Prediction] = []
    clock = Clock()
    shedding, loop, told, kept = _shedding(seen, clock), asyncio.get_running_loop(), list[int](), list[Request]()
    began = loop.time()
    for number in range(1000):
        request = _request(number)
        answer = shedding.shed(request)
        if isinstance(answer, Late):
            answer.then(lambda _, number=number: told.append(number))  # type: ignore[misc]
            kept.append(request)
    clock.go()
    assert len(kept) > 500
    assert not any(request.body for request in kept)  # what waits takes no memory
    while len(seen) < 1000:
        await asyncio.sleep(0.001)
    assert told == list(range(1000 - len(kept), 1000))
    assert loop.time() - began > len(kept) / RATE / 2
    await asyncio.sleep(10 / RATE)
    assert isinstance(shedding.shed(_request()), bytes)


async def test_who_has_gone_is_recorded_and_told_nothing() -> None:
    seen: list[Prediction] = []
    clock = Clock()
    shedding, told = _shedding(seen, clock), list[Any]()
    late = next(answer for n in range(1000) if isinstance(answer := shedding.shed(_request(n)), Late))
    before = len(seen)
    clock.go()
    late.then(told.append)
    late.cancel()
    await asyncio.sleep(0.05)
    assert told == []
    assert len(seen) == before + 1


async def test_the_body_of_a_late_one_may_still_be_arriving() -> None:
    clock = Clock()
    shedding = _shedding([], clock)
    late = [answer for n in range(300) if isinstance(answer := shedding.shed(_request(n)), Late)]
    clock.go()
    await asyncio.sleep(0.01)  # none of them is complete, so none of them waits
    told: list[Any] = []
    late[0].then(told.append)
    await asyncio.sleep(0.05)
    assert [type(answer) for answer in told] == [bytes]
