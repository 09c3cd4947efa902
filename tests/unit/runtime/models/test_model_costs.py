"""What the line learns of runs, with noise or without."""

import random

import pytest

from turnout_runtime.models.costs import Costs
from turnout_runtime.models.pace import SLOW

MODELS = [(0.0, 0.002), (0.02, 0.0), (0.005, 0.0005), (0.0007, 0.00006)]


def _run(costs: Costs, fixed: float, each: float, runs: int = 200, noise: float = 0.2) -> Costs:
    dice = random.Random(1)
    for _ in range(runs):
        rows = dice.choice([1, 2, 4, 16, 60])
        costs.observe(rows, (fixed + each * rows) * (1 + noise * dice.uniform(-1, 1)))
    return costs


@pytest.mark.parametrize(("fixed", "each"), MODELS)
@pytest.mark.parametrize("seeded", [True, False])
def test_the_line_is_found(fixed: float, each: float, seeded: bool) -> None:
    costs = Costs()
    if seeded:
        costs.seed(fixed + each, 64, fixed + 64 * each)
    _run(costs, fixed, each)
    for rows in (1, 8, 64):
        assert costs.time(rows) == pytest.approx(fixed + each * rows, rel=0.25)
    assert 0.02 < costs.spread < 0.25


def test_nothing_is_known_before_the_first_run() -> None:
    costs = Costs()
    assert (costs.time(64), costs.need(64), costs.pays(64), costs.within(SLOW)) == (0, 0, 64, 1 << 30)


@pytest.mark.parametrize("factor", [5.0, 0.2])
def test_another_pace_shows_within_some_runs_of_one_size(factor: float) -> None:
    costs = Costs()
    costs.seed(0.011, 64, 0.074)
    for _ in range(12):
        costs.observe(8, factor * 0.018)
    for rows in (1, 8, 64):
        assert costs.time(rows) == pytest.approx(factor * (0.01 + 0.001 * rows), rel=0.2)


def test_a_run_that_was_stalled_counts_for_little() -> None:
    costs = _run(Costs(), 0.005, 0.0005, noise=0.0)
    costs.observe(4, 3.0)
    assert costs.time(4) < 2 * 0.007


def test_a_batch_is_as_large_as_pays() -> None:
    costs = Costs()
    costs.seed(0.01, 64, 0.01)
    assert costs.pays(64) == 64
    costs.seed(0.01, 64, 0.64)
    assert costs.pays(64) == 1
    costs.seed(0.0105, 64, 0.0105 + 63 * 0.01)
    assert costs.pays(64) == 2
    costs.seed(0.002, 64, 0.001 + 64 * 0.001)
    assert costs.pays(64) == pytest.approx(21, abs=1)


def test_runs_of_one_size_leave_the_split_as_it_was_and_others_find_it() -> None:
    costs = Costs()
    costs.seed(0.01, 64, 0.64)
    for _ in range(1000):
        costs.observe(1, 0.01)
    assert costs.pays(64) == 1
    for run in range(320):  # what the line tries now and then is enough to see that company has become free
        rows = 1 if run % 16 else 2
        costs.observe(rows, 0.01)
    assert costs.pays(64) > 8


def test_models_that_take_less_time_for_more_rows_are_constant() -> None:
    costs = Costs()
    costs.seed(0.01, 64, 0.008)
    assert (costs.time(1), costs.time(64)) == (0.01, 0.01)
    for rows in (1, 64) * 20:
        costs.observe(rows, 0.01 if rows == 1 else 0.005)
    assert costs.each == 0
    assert 0.005 <= costs.fixed <= 0.01


def test_how_many_rows_fit() -> None:
    costs = Costs()
    costs.seed(0.001, 11, 0.002)
    assert costs.within(0.002) == pytest.approx(11, abs=1)
    assert costs.within(0.0005) == 1
