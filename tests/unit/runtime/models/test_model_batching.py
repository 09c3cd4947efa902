import asyncio
from typing import Any

import pytest
from tests.unit.runtime.models.model_fakes import RemoteRuns, Runs, in_virtual_time

from turnout_runtime.config import Batching
from turnout_runtime.errors import ModelUnavailable, RequestTimeout, WorkflowError
from turnout_runtime.models.batch import Batcher


async def _all(batcher: Batcher, rows: list[Any], remaining: float | None = None) -> list[Any]:
    async def score(row: Any) -> float:
        return await batcher.submit(row, remaining)

    return await asyncio.gather(*map(score, rows), return_exceptions=True)


async def test_what_arrives_together_is_computed_together() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 2)
    assert await _all(batcher, [[n, 1.0] for n in range(5)]) == [1, 2, 3, 4, 5]
    assert runs.batches == [5]
    assert await batcher.submit([1.0, 1.0]) == 2
    assert runs.batches == [5, 1]


async def test_a_bad_row_fails_alone() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1)
    results = await _all(batcher, [[1.0], ["poison"], [3.0], [1.0, 2.0], [float("nan")], [float("inf")]])
    assert [results[0], results[2]] == [1.0, 3.0]
    told = [str(result) for result in results if isinstance(result, WorkflowError)]
    assert told == [
        "model 'm' failed: ValueError: poisoned",
        "model 'm' takes 1 features, got 2",
        "model 'm' gave the score nan, not a finite number",
        "model 'm' gave the score inf, not a finite number",
    ]
    assert batcher.stats.failed == 3


async def test_one_bad_row_of_many_is_found_in_few_runs() -> None:
    runs = Runs()
    rows: list[Any] = [[float(n)] for n in range(64)]
    rows[37] = ["poison"]
    results = await _all(Batcher("m", runs, 1), rows)
    assert [n for n, result in enumerate(results) if result != float(n)] == [37]
    assert len(runs.batches) <= 2 + 2 * 6


async def test_a_cancelled_row_is_not_computed() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1)
    futures = [batcher.submit([float(n)]) for n in range(3)]
    futures[1].cancel()
    assert [await futures[0], await futures[2]] == [0.0, 2.0]
    assert runs.batches == [2]


async def test_a_model_that_answers_too_few_rows_fails_them_all() -> None:
    results = await _all(Batcher("m", lambda rows: [0.0], None), [[1.0]] * 3)
    assert {str(result) for result in results} == {"the model gave 1 scores for 3 rows"}


async def test_no_batch_is_larger_than_the_largest() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1, Batching(maxSize=4))
    assert await _all(batcher, [[float(n)] for n in range(10)]) == list(range(10))
    assert runs.batches == [4, 4, 2]
    stats = batcher.stats
    assert (stats.batches, stats.rows, stats.last_batch, sum(stats.seconds.counts)) == (3, 10, 2, 3)


async def test_without_batching_each_row_runs_at_once() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1, Batching(strategy="none", maxDelaySeconds=5))
    assert batcher.submit([3.0]).result() == 3.0
    assert await _all(batcher, [[1.0], ["poison"], [2.0]]) != []
    assert set(runs.batches) == {1}


def test_a_row_waits_for_company_no_longer_than_the_delay() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1, Batching(maxSize=8, maxDelaySeconds=0.010))

    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        first = batcher.submit([1.0])
        await asyncio.sleep(0.007)
        second = batcher.submit([2.0])
        await first
        times = [loop.time()]
        assert second.done()
        await asyncio.gather(*(batcher.submit([float(n)]) for n in range(8)))
        return [*times, loop.time()]

    assert in_virtual_time(work()) == pytest.approx([0.010, 0.010])
    assert runs.batches == [2, 8]


def test_a_row_without_time_is_not_held_and_takes_its_company_along() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1, Batching(maxDelaySeconds=0.010))

    async def work() -> float:
        held = batcher.submit([1.0])
        assert await batcher.submit([2.0], 0.009) == 2.0
        assert held.done()
        return asyncio.get_running_loop().time()

    assert in_virtual_time(work()) == 0.0
    assert runs.batches == [2]


def test_fixed_batches_are_filled_up() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1, Batching(strategy="fixed", maxSize=4, maxDelaySeconds=0.002))
    assert in_virtual_time(_all(batcher, [[float(n)] for n in range(6)])) == [0, 1, 2, 3, 4, 5]
    assert runs.batches == [4, 4]
    assert batcher.stats.rows == 6


def test_rows_gather_while_a_server_is_busy() -> None:
    remote = RemoteRuns(0.020)
    batcher = Batcher("m", Runs(), 1, Batching(maxSize=4), remote=remote, slots=1)

    async def work() -> list[float]:
        rows = []
        for n in range(7):
            rows.append(batcher.submit([float(n)], 1.0))
            await asyncio.sleep(0.003)
        return await asyncio.gather(*rows)

    assert in_virtual_time(work()) == [0, 1, 2, 3, 4, 5, 6]
    assert remote.batches == [1, 4, 2]
    assert remote.most == 1
    assert all(limit is not None and 0.9 < limit <= 1.0 for limit in remote.limits)


def test_a_server_gets_as_many_batches_at_once_as_it_takes() -> None:
    remote = RemoteRuns(0.020)
    batcher = Batcher("m", Runs(), 1, Batching(maxSize=1), remote=remote, slots=3)
    assert in_virtual_time(_all(batcher, [[1.0]] * 7)) == [1.0] * 7
    assert (remote.most, len(remote.batches)) == (3, 7)


def test_a_row_is_given_up_at_its_deadline() -> None:
    batcher = Batcher("m", Runs(), 1, remote=RemoteRuns(10.0))

    async def work() -> list[Any]:
        short, long = batcher.submit([1.0], 0.05), batcher.submit([2.0], 11.0)
        with pytest.raises(RequestTimeout, match=r"model 'm' did not answer in the 0\.05 s left"):
            await short
        return [asyncio.get_running_loop().time(), await long]

    assert in_virtual_time(work()) == pytest.approx([0.05, 2.0])
    assert batcher.stats.late == 1


def test_rows_given_up_behind_a_model_that_hangs_do_not_pile_up() -> None:
    batcher = Batcher("m", Runs(), 1, remote=RemoteRuns(1e6))

    async def work() -> list[int]:
        sizes = []
        for _ in range(6):
            await asyncio.gather(*(batcher.submit([1.0], 0.1) for _ in range(1000)), return_exceptions=True)
            sizes.append(len(batcher._line._rows))
        return sizes

    assert max(in_virtual_time(work())) < 2100
    assert batcher.waiting == 0


def test_what_is_wrong_with_the_server_is_told_to_every_row() -> None:
    calls = []

    async def dead(rows: Any, left: float | None) -> list[float]:
        calls.append(len(rows))
        raise ModelUnavailable("the server is not there")

    batcher = Batcher("m", Runs(), 1, remote=dead)
    results = in_virtual_time(_all(batcher, [[1.0]] * 5))
    assert [(type(result), str(result)) for result in results] == [(ModelUnavailable, "the server is not there")] * 5
    assert len({id(result) for result in results}) == 5
    assert calls == [5]


async def test_a_slow_model_runs_in_its_thread_and_batches_what_gathers() -> None:
    runs = Runs(0.02)
    batcher = Batcher("m", runs, 1, Batching(maxSize=4))
    batcher.seed(0.02)
    rows: list[Any] = [[float(n)] for n in range(9)]
    rows[5] = ["poison"]
    results = await _all(batcher, rows, 5.0)
    assert [n for n, result in enumerate(results) if result != float(n)] == [5]
    assert runs.threads == {"model-m"}  # none of them on the event loop
    assert batcher.threaded
    assert max(runs.batches) == 4
    batcher.close()


async def test_a_model_that_turns_out_slow_leaves_the_loop_and_comes_back() -> None:
    runs = Runs(0.005)
    batcher = Batcher("m", runs, 1)
    for _ in range(20):
        await batcher.submit([1.0], 5.0)
    assert batcher.threaded
    assert len(runs.threads) == 2
    runs.seconds = 0.0
    for _ in range(40):
        await batcher.submit([1.0], 5.0)
    assert not batcher.threaded
    batcher.close()


async def test_a_stall_of_the_machine_does_not_move_a_quick_model() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1)
    for seconds in (0.05, 0.0, 0.0, 0.0, 0.05, 0.0, 0.0):
        runs.seconds = seconds
        await batcher.submit([1.0])
        assert not batcher.threaded


async def test_a_thread_that_hangs_does_not_hold_rows_past_their_deadline() -> None:
    batcher = Batcher("m", Runs(0.3), 1)
    batcher.seed(0.3)
    loop = asyncio.get_running_loop()
    started = loop.time()
    results = await _all(batcher, [[1.0], [2.0]], 0.05)
    assert [type(result) for result in results] == [RequestTimeout, RequestTimeout]
    assert loop.time() - started < 0.25
    batcher.close()


def test_a_batcher_survives_the_loop_it_was_used_on() -> None:
    batcher = Batcher("m", Runs(), 1)

    async def leave() -> None:
        batcher.submit([1.0])

    asyncio.run(leave())
    for _ in range(2):
        assert asyncio.run(_all(batcher, [[2.0]])) == [2.0]
