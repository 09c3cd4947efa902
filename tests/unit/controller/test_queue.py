import asyncio

import pytest

from turnout_operator.controller.queue import Lane, WorkQueue


async def take(queue: WorkQueue[str]) -> str:
    return await asyncio.wait_for(queue.get(), 1)


async def test_urgent_keys_go_first_and_a_key_waits_once():
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    queue.add("c", Lane.URGENT)
    queue.add("b", Lane.URGENT)
    assert [await take(queue) for _ in range(3)] == ["c", "b", "a"]
    assert len(queue) == 0


async def test_a_key_is_handled_by_one_worker_at_a_time_and_again_when_marked_meanwhile():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await take(queue) == "a"
    queue.add("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.02)
    queue.done("a")
    assert await take(queue) == "a"


async def test_failures_back_off_and_a_success_forgets_them():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    delays = []
    for _ in range(3):
        await take(queue)
        delays.append(queue.done("a", failed=True))
    assert delays == [0.1, 0.2, 0.4]
    await take(queue)
    assert queue.done("a") is None
    queue.add("a")
    await take(queue)
    assert queue.done("a", failed=True) == 0.1


async def test_the_earliest_of_several_delays_counts_once():
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    assert await take(queue) == "a"
    queue.done("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)


async def test_a_waiting_worker_wakes_for_a_key_that_comes_later():
    queue: WorkQueue[str] = WorkQueue()
    waiting = asyncio.create_task(take(queue))
    await asyncio.sleep(0.01)
    queue.add("a")
    assert await waiting == "a"


async def test_several_sleeping_workers_all_wake_for_several_keys():
    queue: WorkQueue[str] = WorkQueue()
    workers = [asyncio.create_task(take(queue)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for key in "abc":
        queue.add(key)
    assert sorted(await asyncio.gather(*workers)) == ["a", "b", "c"]
