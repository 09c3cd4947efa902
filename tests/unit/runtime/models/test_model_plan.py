"""Who runs next: pure decisions about rows with so many seconds left."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout_runtime.models.costs import Costs
from turnout_runtime.models.plan import Plan, plan
from turnout_runtime.models.waiting import Waiting

_FUTURE: Any = asyncio.Future  # never touched


def _costs(one: float, full: float, spread: float = 0.0) -> Costs:
    """Of runs of one row and of 64."""
    costs = Costs()
    costs.seed(one, 64, full)
    costs.spread = spread
    return costs


def _rows(slacks: Sequence[float | None]) -> list[Waiting]:
    return [([float(n)], _FUTURE, 0.0, slack, None) for n, slack in enumerate(slacks)]


def _numbers(chosen: Plan) -> tuple[list[float], list[float], list[float]]:
    return tuple([row[0][0] for row in part] for part in (chosen.take, chosen.late, chosen.rest))  # type: ignore[return-value]


CONSTANT = _costs(0.020, 0.020)
LINEAR = _costs(0.002, 0.128)


def test_who_has_time_goes_first_come_first_served() -> None:
    assert _numbers(plan(_rows([1.0, None, 1.0, 1.0]), 0.0, 3, CONSTANT)) == ([0, 1, 2], [], [3])


def test_a_batch_ends_before_the_first_deadline_in_it() -> None:
    chosen = plan(_rows([0.011, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]), 0.0, 8, LINEAR)
    assert _numbers(chosen) == ([0, 1, 2, 3, 4], [], [5, 6, 7])


def test_a_short_row_is_served_when_the_others_can_wait_for_it() -> None:
    costs = _costs(0.020, 0.020 + 63 * 0.001)
    assert _numbers(plan(_rows([0.0205, 0.5, 0.5, 0.5]), 0.0, 4, costs)) == ([0], [], [1, 2, 3])


def test_rows_that_would_hold_up_all_others_are_told() -> None:
    costs = _costs(0.020, 0.020 + 63 * 0.001)
    slacks = [0.021] * 2 + [0.045] * 4 + [0.05]
    assert _numbers(plan(_rows(slacks), 0.0, 4, costs)) == ([2, 3, 4, 5], [0, 1], [6])


def test_hopeless_rows_are_not_computed() -> None:
    assert _numbers(plan(_rows([0.019, 0.5, 0.001]), 0.0, 8, CONSTANT)) == ([1], [0, 2], [])


def test_a_lone_row_that_may_just_be_in_time_is_tried() -> None:
    assert _numbers(plan(_rows([0.021]), 0.0, 8, _costs(0.020, 0.020, spread=0.5))) == ([0], [], [])


@pytest.mark.parametrize("probe", [True, False])
def test_where_nobody_has_hope_the_one_with_most_time_is_tried_now_and_then(probe: bool) -> None:
    expected = ([1], [0, 2], []) if probe else ([], [0, 1, 2], [])
    assert _numbers(plan(_rows([0.005, 0.010, 0.002]), 0.0, 8, CONSTANT, probe=probe)) == expected


def test_while_nothing_is_known_nobody_is_refused() -> None:
    assert _numbers(plan(_rows([0.0, 0.001, None]), 0.0, 2, Costs())) == ([0, 1], [], [2])


@given(
    st.lists(st.none() | st.floats(-0.01, 0.2), min_size=1, max_size=80),
    st.sampled_from([(0.0, 0.002), (0.02, 0.0), (0.005, 0.0005), (0.05, 0.02)]),
    st.integers(1, 64),
    st.floats(0.0, 1.0),
    st.integers(1, 4),
    st.booleans(),
)
def test_every_row_is_in_one_place_and_in_order(
    slacks: list[float | None], line: tuple[float, float], most: int, spread: float, slots: int, probe: bool
) -> None:
    fixed, each = line
    costs = _costs(fixed + each, fixed + 64 * each, spread)
    take, late, rest = _numbers(plan(_rows(slacks), 0.0, most, costs, slots=slots, probe=probe))
    assert sorted([*take, *late, *rest]) == list(range(len(slacks)))
    assert all(part == sorted(part) for part in (take, late, rest))
    assert len(take) <= most
    assert take or not rest
    left = [1e9 if slack is None else slack for slack in slacks]
    assert len(take) == 1 or all(left[int(n)] >= costs.need(len(take)) for n in take)
    assert all(left[int(n)] < costs.time(len(take)) / slots + costs.time(1) for n in late)
    assert 1e9 not in [left[int(n)] for n in late]
