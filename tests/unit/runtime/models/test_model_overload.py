"""More rows than a model can answer: it must answer about as many as ever, in time, and tell the others early.

The model is a simulation, in virtual time; arrivals are random, from a seed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.runtime.models.model_fakes import Machine, Runs, in_virtual_time

from turnout_runtime.config import Batching
from turnout_runtime.errors import RequestTimeout
from turnout_runtime.models.batch import Batcher


@dataclass
class Seen:
    """Rows by the timeout they had, answered or told; `order` has the numbers of the answered ones."""

    answered: Counter[float] = field(default_factory=Counter)
    told: Counter[float] = field(default_factory=Counter)
    order: list[float] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.answered.total()


def _batcher(machine: Machine, most: int = 64, *, seeded: bool = True) -> Batcher:
    batcher = Batcher("m", Runs(), 1, Batching(maxSize=most), remote=machine.remote)
    if seeded:
        batcher.seed(machine.seconds(1), most, machine.seconds(most))
    return batcher


async def _ask(batcher: Batcher, timeout: float, number: float, seen: Seen) -> None:
    loop = asyncio.get_running_loop()
    came = loop.time()
    try:
        seen.order.append(await batcher.submit([number], timeout))
        seen.answered[timeout] += 1
    except RequestTimeout:
        seen.told[timeout] += 1
    assert loop.time() - came <= timeout + 1e-6


async def _offer(batcher: Batcher, rate: float, rows: int, timeouts: Sequence[float]) -> tuple[Seen, float]:
    """Rows at random times, `rate` a second; returns the seconds until the last was answered, too."""
    loop, dice, seen = asyncio.get_running_loop(), random.Random(2), Seen()
    began = coming = loop.time()
    tasks = []
    for number in range(rows):
        coming += dice.expovariate(rate)
        if coming > loop.time():
            await asyncio.sleep(coming - loop.time())
        tasks.append(loop.create_task(_ask(batcher, dice.choice(timeouts), float(number), seen)))
    await asyncio.gather(*tasks)
    return seen, loop.time() - began


def _goodput(machine: Machine, batcher: Batcher, timeouts: Sequence[float], load: float) -> float:
    """Rows answered in time, as a part of what the model can do."""
    capacity = machine.capacity(64, min(timeouts))
    rows = int(load * capacity * max(10 * max(timeouts), 200 * machine.seconds(1)))
    seen, seconds = in_virtual_time(_offer(batcher, load * capacity, min(rows, 4000), timeouts))
    return seen.rows / (seconds * capacity)


@given(
    fixed=st.sampled_from([0.0, 0.0005, 0.002, 0.010, 0.040]),
    each=st.sampled_from([0.00005, 0.0003, 0.002, 0.010]),
    timeout=st.floats(0.01, 1.0),
    load=st.floats(1.2, 8.0),
    noise=st.sampled_from([0.0, 0.2, 0.4]),
)
@settings(deadline=None, max_examples=30)
def test_goodput_stays_near_the_peak(fixed: float, each: float, timeout: float, load: float, noise: float) -> None:
    machine = Machine(fixed, each, noise)
    assume(machine.seconds(1) <= timeout / 2.5)
    assert _goodput(machine, _batcher(machine), [timeout], load) >= 0.8


@pytest.mark.parametrize(("fixed", "each"), [(0.0, 0.0021), (0.02, 0.0), (0.005, 0.0005)])
@pytest.mark.parametrize("load", [1.5, 4.0])
def test_a_model_that_nobody_has_measured_is_learned_meanwhile(fixed: float, each: float, load: float) -> None:
    machine = Machine(fixed, each, 0.2)
    assert _goodput(machine, _batcher(machine, seeded=False), [0.1], load) >= 0.8


def test_below_its_capacity_nearly_everybody_is_answered() -> None:
    for fixed, each in ((0.0, 0.0021), (0.02, 0.0002), (0.005, 0.0005)):
        machine = Machine(fixed, each, 0.2)
        rate = 0.7 * machine.capacity(64, 0.3)
        seen, _ = in_virtual_time(_offer(_batcher(machine), rate, 1000, [0.3]))
        assert seen.rows > 990


def test_clients_that_come_again_all_together_do_not_time_out_for_ever() -> None:
    """Sixteen of them take a third of the timeout one by one; in batches of sixteen runs last as long as the queue."""
    machine = Machine(0.0, 0.0027 * 2, 0.3)
    batcher, seen = _batcher(machine), Seen()

    async def client(number: int) -> None:
        for _ in range(60):
            await _ask(batcher, 0.1, float(number), seen)

    async def all_clients() -> None:
        await asyncio.gather(*map(client, range(16)))

    in_virtual_time(all_clients())
    assert seen.rows > 0.9 * 16 * 60
    assert sum(machine.batches) / len(machine.batches) < 2.5


@pytest.mark.parametrize(("fixed", "each"), [(0.0, 0.002), (0.01, 0.0002)])
@pytest.mark.parametrize("change", [8.0, 1 / 8])
def test_a_model_that_changes_its_pace_is_followed(fixed: float, each: float, change: float) -> None:
    machine = Machine(fixed, each, 0.2)
    machine.slow = max(1.0, 1 / change)
    batcher = _batcher(machine)
    timeout = 0.4
    goodput = _goodput(machine, batcher, [timeout], 2.0)
    machine.slow *= change
    after = _goodput(machine, batcher, [timeout], 2.0)
    assert goodput >= 0.8
    assert after >= 0.8 * 0.8  # the time it takes to notice is in it


def test_a_model_that_was_too_slow_for_everybody_is_found_when_it_is_quick_again() -> None:
    machine = Machine(0.0, 0.002)
    batcher = _batcher(machine)

    async def work() -> list[int]:
        answered = []
        for slow, rows in ((1.0, 250), (100.0, 2500), (1.0, 250), (1.0, 250)):
            machine.slow = slow
            seen, _ = await _offer(batcher, 250.0, rows, [0.1])
            answered.append(seen.rows)
        return answered

    before, meanwhile, found, after = in_virtual_time(work())
    assert (before, after) == (250, 250)
    assert meanwhile < 10
    assert found > 150


def test_short_and_long_deadlines_share_a_model() -> None:
    machine = Machine(0.005, 0.0005, 0.2)
    batcher = _batcher(machine)
    seen, seconds = in_virtual_time(_offer(batcher, 3 * machine.capacity(64, 0.05), 4000, [0.05, 0.5]))
    assert seen.rows / seconds >= 0.8 * machine.capacity(64, 0.05)
    assert seen.answered[0.5] > 0
    assert seen.order == sorted(seen.order), "first come, first served"


def test_rows_of_a_busy_loop_are_told_before_they_are_computed() -> None:
    """Quick runs on the loop itself: what arrives in one turn may be more than it can answer in time."""
    machine, loops = Machine(0.0, 0.0004), []

    def clock() -> float:
        return loops[0].time()

    batcher = Batcher("m", machine.here, 1, clock=clock)
    batcher.seed(machine.seconds(1), 64, machine.seconds(64))
    seen = Seen()

    async def burst() -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.gather(*(_ask(batcher, 0.010, float(n), seen) for n in range(64)))
        await asyncio.gather(*(_ask(batcher, 0.010, float(n), seen) for n in range(100, 104)))

    in_virtual_time(burst())
    assert 16 <= seen.rows - 4 <= 25  # a row takes 0.4 ms
    assert sum(machine.batches) == seen.rows
    assert max(machine.batches) <= 8
    assert seen.order == sorted(seen.order)
    assert not batcher.threaded
