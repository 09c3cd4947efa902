"""Whatever the arrival pattern: every row gets its own answer, in time, and no batch is too large."""

import asyncio
from itertools import cycle
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.models.model_fakes import RemoteRuns, Runs, in_virtual_time

from turnout_runtime.config import Batching
from turnout_runtime.errors import RequestTimeout, WorkflowError
from turnout_runtime.models.batch import Batcher


class Arrival(NamedTuple):
    after: float  # seconds since the one before
    remaining: float | None
    poison: bool


class Answer(NamedTuple):
    value: float | Exception
    seconds: float


ARRIVALS = st.lists(
    st.builds(
        Arrival,
        after=st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.004, 0.02]),
        remaining=st.none() | st.floats(0.001, 0.1),
        poison=st.sampled_from([False] * 9 + [True]),
    ),
    min_size=1,
    max_size=40,
)
BATCHING = st.builds(
    Batching,
    strategy=st.sampled_from(["none", "fixed", "dynamic"]),
    maxSize=st.integers(1, 9),
    maxDelaySeconds=st.sampled_from([0.0, 0.002, 0.03]),
)


async def _play(batcher: Batcher, arrivals: list[Arrival]) -> list[Answer]:
    loop = asyncio.get_running_loop()

    async def one(number: int, arrival: Arrival) -> Answer:
        started = loop.time()
        row: list[Any] = ["poison" if arrival.poison else float(number)]
        try:
            return Answer(await batcher.submit(row, arrival.remaining), loop.time() - started)
        except Exception as error:
            return Answer(error, loop.time() - started)

    tasks = []
    for number, arrival in enumerate(arrivals):
        if arrival.after:
            await asyncio.sleep(arrival.after)
        tasks.append(asyncio.create_task(one(number, arrival)))
    return await asyncio.gather(*tasks)


@given(ARRIVALS, BATCHING)
@settings(deadline=None, max_examples=200)
def test_a_quick_model_answers_every_row_in_time(arrivals: list[Arrival], batching: Batching) -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1, batching, clock=lambda: 0.0)
    answers = in_virtual_time(_play(batcher, arrivals))
    for number, (arrival, answer) in enumerate(zip(arrivals, answers, strict=True)):
        assert isinstance(answer.value, WorkflowError) if arrival.poison else answer.value == number
        assert answer.seconds <= batching.max_delay_seconds + 1e-9
        assert arrival.remaining is None or answer.seconds < arrival.remaining
    assert max(runs.batches) <= (1 if batching.strategy == "none" else batching.max_size)
    if batching.strategy == "fixed":
        assert set(runs.batches) == {batching.max_size}


@given(ARRIVALS, BATCHING, st.sampled_from([0.0, 0.003, 0.05]), st.integers(1, 3))
@settings(deadline=None, max_examples=200)
def test_a_server_answers_every_row_or_it_is_told_in_time(
    arrivals: list[Arrival], batching: Batching, seconds: float, slots: int
) -> None:
    remote = RemoteRuns(seconds)
    batcher = Batcher("m", Runs(), 1, batching, remote=remote, slots=slots)
    answers = in_virtual_time(_play(batcher, arrivals))
    for number, (arrival, answer) in enumerate(zip(arrivals, answers, strict=True)):
        if isinstance(answer.value, RequestTimeout):
            assert arrival.remaining is not None
            assert answer.seconds < arrival.remaining + 1e-6
        else:
            assert isinstance(answer.value, WorkflowError) if arrival.poison else answer.value == number
            assert arrival.remaining is None or answer.seconds <= arrival.remaining + 1e-9
    assert not remote.batches or max(remote.batches) <= batcher.max_size
    if batching.strategy == "fixed":
        assert set(remote.batches) <= {batching.max_size}
    assert remote.most <= slots
    assert batcher.waiting == 0


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.0005, 0.004]), min_size=30, max_size=60),
    st.lists(st.sampled_from([0.0, 0.003]), min_size=1, max_size=8),
    st.integers(1, 6),
    st.booleans(),
)
@settings(deadline=None, max_examples=25)
def test_a_model_that_goes_to_and_fro_between_loop_and_thread_loses_no_row(
    gaps: list[float], durations: list[float], size: int, slow: bool
) -> None:
    turns = cycle(durations)
    runs = Runs()

    def run(rows: Any) -> list[float]:
        runs.seconds = next(turns)
        return runs(rows)

    batcher = Batcher("m", run, 1, Batching(maxSize=size))
    batcher.seed(0.01 if slow else 0.0)
    arrivals = [Arrival(gap, 5.0, poison=n % 11 == 10) for n, gap in enumerate(gaps)]
    answers = asyncio.run(_play(batcher, arrivals))
    batcher.close()
    for number, (arrival, answer) in enumerate(zip(arrivals, answers, strict=True)):
        assert isinstance(answer.value, WorkflowError) if arrival.poison else answer.value == number
    assert max(runs.batches) <= size
    assert batcher.stats.rows == len(gaps)
    assert batcher.waiting == 0
