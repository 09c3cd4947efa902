"""Which rows of a line a model runs next, and which it will not get to any more. Pure.

First come, first served, as long as everybody can be served. When that is not so, the rows at the head of the line
have so little time left that only tiny batches would end in time, or none: serving them first makes all others late
in turn. Then the batch goes to the first rows that have time for one that pays, and who cannot be answered is told.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import inf

from turnout_runtime.models.costs import Costs
from turnout_runtime.models.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Plan:
    """`take` runs now, `late` cannot end in time whatever runs, `rest` goes on waiting; each in order of arrival."""

    take: list[Waiting]
    late: list[Waiting]
    rest: list[Waiting]


def plan(rows: list[Waiting], now: float, most: int, costs: Costs, *, slots: int = 1, probe: bool = True) -> Plan:
    """Plan a run of at most `most` rows, for a model that has `slots` runs at a time.

    With `probe` one row is tried even when none can be answered in time as far as is known: how else would it show
    that the model has become faster?
    """
    slacks = [inf if row[3] is None else row[3] - now for row in rows]
    size = _largest(slacks[:most], costs)
    if size and _all_in_time(slacks, size, most, costs, slots):
        return Plan(rows[:size], [], rows[size:])
    return _choose(rows, slacks, most, costs, slots, probe)


def _largest(slacks: list[float], costs: Costs) -> int:
    """Rows from the head on that are all in time when they run together."""
    if costs.need(len(slacks)) <= min(slacks):
        return len(slacks)
    least = inf
    for size, slack in enumerate(slacks, 1):
        least = min(least, slack)
        if costs.need(size) > least:
            return size - 1
    return len(slacks)


def _all_in_time(slacks: list[float], size: int, most: int, costs: Costs, slots: int) -> bool:
    """Whether those behind the first `size` rows end in time, too, if nobody else comes."""
    begin, step = costs.time(size) / slots, costs.time(most) / slots
    for start in range(size, len(slacks), most):
        batch = slacks[start : start + most]
        if begin + costs.need(len(batch)) > min(batch):
            return False
        begin += step
    return True


def _choose(rows: list[Waiting], slacks: list[float], most: int, costs: Costs, slots: int, probe: bool) -> Plan:
    best = sorted(slacks, reverse=True)
    size = bisect_left(range(1, min(most, len(rows)) + 1), True, key=lambda size: best[size - 1] < costs.need(size))
    limit, one = costs.need(size), costs.time(1)
    if size == 0:
        if best[0] < one and not probe:
            return Plan([], rows, [])
        size, limit = 1, min(one, best[0])
    over = costs.time(size) / slots + one
    take: list[Waiting] = []
    late: list[Waiting] = []
    rest: list[Waiting] = []
    for row, slack in zip(rows, slacks, strict=True):
        if slack >= limit and len(take) < size:
            take.append(row)
        else:
            (late if slack < over else rest).append(row)
    return Plan(take, late, rest)
