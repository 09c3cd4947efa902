import asyncio
import random
import time

import pytest
from tests.unit.runtime.models.model_fakes import in_virtual_time

from turnout_runtime.errors import Overloaded, RequestTimeout
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.expiry import Expiry


async def _enter(admission: Admission) -> None:
    if not admission.try_enter():
        await admission.wait()


async def _started(*tasks: "asyncio.Task[None]") -> None:
    for _ in tasks:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_places_go_to_who_waits_longest() -> None:
    admission, order = Admission(1, 10, 5.0), list[int]()

    async def request(number: int) -> None:
        await _enter(admission)
        order.append(number)
        await asyncio.sleep(0)
        admission.leave()

    await asyncio.gather(*(request(number) for number in range(6)))
    assert order == list(range(6))
    assert (admission.active, admission.depth) == (0, 0)


async def test_a_full_queue_sheds_at_once() -> None:
    admission = Admission(1, 1, 5.0)
    await _enter(admission)
    waiting = asyncio.create_task(_enter(admission))
    await _started(waiting)
    assert admission.depth == 1
    with pytest.raises(Overloaded) as caught:
        await _enter(admission)
    assert caught.value.cause == "queue_full"
    admission.leave()
    await waiting
    assert (admission.active, admission.depth) == (1, 0)


async def test_a_long_wait_sheds() -> None:
    admission = Admission(1, 5, 0.02)
    await _enter(admission)
    with pytest.raises(Overloaded) as caught:
        await asyncio.wait_for(_enter(admission), 2)
    assert caught.value.cause == "queue_wait"
    assert (admission.active, admission.depth) == (1, 0)


async def test_no_queue_at_all() -> None:
    admission = Admission(1, 0, 1.0)
    await _enter(admission)
    with pytest.raises(Overloaded):
        await _enter(admission)


async def test_who_gives_up_leaves_no_hole() -> None:
    admission = Admission(1, 5, 5.0)
    await _enter(admission)
    first, second = (asyncio.create_task(_enter(admission)) for _ in range(2))
    await _started(first, second)
    first.cancel()
    admission.leave()  # before `first` has noticed: the place must reach `second`
    await asyncio.wait_for(second, 1)
    assert first.cancelled() or first.done()
    assert (admission.active, admission.depth) == (1, 0)


async def test_a_place_given_to_who_gives_up_is_given_back() -> None:
    admission = Admission(1, 5, 5.0)
    await _enter(admission)
    waiting = asyncio.create_task(_enter(admission))
    await _started(waiting)
    admission.leave()
    waiting.cancel()  # it has its place, but has not run yet
    await asyncio.gather(waiting, return_exceptions=True)
    assert (admission.active, admission.depth) == (0, 0)


async def test_the_limits_hold_under_chaos() -> None:
    chance, admission, running, worst = random.Random(7), Admission(3, 4, 0.003), 0, 0

    async def request() -> None:
        nonlocal running, worst
        await asyncio.sleep(chance.random() / 50)
        await _enter(admission)
        try:
            running += 1
            worst = max(worst, running)
            await asyncio.sleep(chance.random() / 200)
        finally:
            running -= 1
            admission.leave()

    tasks = [asyncio.create_task(request()) for _ in range(300)]
    for task in tasks[::7]:
        asyncio.get_running_loop().call_later(chance.random() / 40, task.cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), Overloaded, asyncio.CancelledError}
    assert worst == 3
    assert (admission.active, admission.depth, running) == (0, 0, 0)


async def test_time_runs_out_for_each_request_by_itself() -> None:
    expiry, loop = Expiry(0.2), asyncio.get_running_loop()

    async def request(start: float, length: float) -> float:
        await asyncio.sleep(start)
        began = loop.time()
        try:
            with expiry.until(time.perf_counter() + expiry.timeout):
                await asyncio.sleep(length)
        except RequestTimeout:
            return loop.time() - began
        return 0.0

    spent = await asyncio.gather(*(request(start / 100, length) for start in range(5) for length in (0.0, 0.01, 5.0)))
    assert spent[0::3] == spent[1::3] == [0.0] * 5
    assert all(0.19 < time < 2 for time in spent[2::3])


async def test_a_callers_own_cancellation_is_not_a_timeout() -> None:
    expiry = Expiry(5.0)

    async def request() -> None:
        with expiry.until(time.perf_counter() + expiry.timeout):
            await asyncio.sleep(10)

    task = asyncio.create_task(request())
    await _started(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_workflows_own_error_passes_and_time_can_be_limited_again() -> None:
    expiry = Expiry(0.03)
    with pytest.raises(TimeoutError, match="mine"), expiry.until(time.perf_counter() + expiry.timeout):
        raise TimeoutError("mine")
    with pytest.raises(RequestTimeout), expiry.until(time.perf_counter() + expiry.timeout):
        await asyncio.sleep(1)
    with expiry.until(time.perf_counter() + expiry.timeout):
        await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_full_is_when_whoever_comes_is_shed() -> None:
    admission = Admission(1, 1, 1.0)
    seen = [admission.full()]
    assert admission.try_enter()
    seen.append(admission.full())
    waiting = asyncio.create_task(admission.wait())
    await asyncio.sleep(0)
    seen.append(admission.full())
    admission.leave()
    await waiting
    seen.append(admission.full())
    assert seen == [False, False, True, False]


async def test_who_is_on_the_way_counts() -> None:
    admission = Admission(2, 1, 1.0)
    assert [admission.full(coming) for coming in range(4)] == [False, False, False, True]
    admission.try_enter()
    assert [admission.full(coming) for coming in range(3)] == [False, False, True]


def test_no_more_wait_than_will_have_a_place_in_time() -> None:
    in_virtual_time(_rush())


async def _rush() -> None:
    clock = asyncio.get_running_loop().time
    admission, waiting, ended = Admission(1, 64, 0.05, clock), set[asyncio.Task[None]](), list[str]()

    async def request() -> None:
        began = clock()
        try:
            await admission.wait()
        except Overloaded as error:
            ended.append(error.cause if clock() - began < 0.03 else "late")
        else:
            ended.append("served")

    admission.try_enter()
    for turn in range(120):
        if turn == 80:
            ended.clear()  # by now it has seen how many are served
        while not admission.full():
            waiting.add(asyncio.create_task(request()))
            await asyncio.sleep(0)
        await asyncio.sleep(0.005)
        admission.leave()
    assert admission.depth <= 10  # of 0.05 s / 0.005 s, at most
    assert ended.count("served") > 5 * ended.count("late")
    while admission.depth:
        admission.leave()
    admission.leave()
    await asyncio.gather(*waiting)
    assert admission.active == 0
    assert not admission.full(64)  # with the rush over, all of the queue is there again
