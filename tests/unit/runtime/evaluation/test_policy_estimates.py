"""The estimators against worlds whose truth is known."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.errors import TooLittleOverlap
from turnout_runtime.evaluation.policy.estimate import Logged, Numbers, estimate, mean_rewards, weights
from turnout_runtime.evaluation.policy.overlap import check, overlap

ARMS = ("a", "b", "c")
WORLDS = 300
ROWS = 400


def softmax(scores: Numbers) -> Numbers:
    powers = np.exp(scores)
    found: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return found


def means(x: Numbers) -> Numbers:
    """The true mean reward of each arm in context x: which arm is best depends on it."""
    return np.stack([0.3 + 0.2 * x, 0.5 - 0.1 * x, 0.4 + 0.0 * x], axis=1)


def logging(x: Numbers) -> Numbers:
    return softmax(np.stack([x, -x, 0.5 * x], axis=1))


def wanted(x: Numbers) -> Numbers:
    """Mostly the best arm."""
    return softmax(4 * means(x) / 0.2)


@dataclass
class World:
    logged: Logged
    target: Numbers
    model: Numbers


def world(seed: int, rows: int = ROWS, policy: Callable[[Numbers], Numbers] = wanted, repeats: int = 1) -> World:
    """Binary rewards in a random context; each entity asks `repeats` times, and keeps its arm."""
    random = np.random.default_rng(seed)
    x = np.repeat(random.normal(size=rows // repeats), repeats)
    chance = logging(x)
    draws = np.repeat(random.random(rows // repeats), repeats)
    action = np.minimum((chance.cumsum(axis=1) < draws[:, None]).sum(axis=1), 2)
    index = np.arange(len(x))
    luck = np.repeat(random.random(rows // repeats), repeats) if repeats > 1 else random.random(rows)
    reward = (luck < means(x)[index, action]).astype(float)
    cluster = np.repeat(np.arange(rows // repeats), repeats)
    return World(Logged(action, chance[index, action], reward, cluster), policy(x), means(x))


@cache
def truth(policy: Callable[[Numbers], Numbers] = wanted) -> float:
    x = np.random.default_rng(99).normal(size=2_000_000)
    return float((policy(x) * means(x)).sum(axis=1).mean())


@pytest.fixture(scope="module")
def runs() -> dict[str, list[tuple[float, tuple[float, float], tuple[float, float]]]]:
    """Estimates of many logs of the same world."""
    found: dict[str, list[tuple[float, tuple[float, float], tuple[float, float]]]] = {}
    for seed in range(WORLDS):
        made = world(seed)
        bad = np.ones_like(made.model)
        for name, predicted, resamples in (("", None, 100), ("good ", made.model, 100), ("bad ", bad, 1)):
            estimates = estimate(made.logged, made.target, predicted, resamples=resamples, seed=seed)
            for kind in ("ips", "snips", "dr"):
                one = getattr(estimates, kind)
                found.setdefault(name + kind, []).append((one.value, one.normal, one.bootstrap))
    return found


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "good dr", "bad dr"])
def test_the_mean_of_many_logs_is_the_truth(runs: dict[str, list[tuple[float, ...]]], name: str) -> None:
    values = np.array([value for value, *_ in runs[name]])
    error = values.std() / math.sqrt(len(values))
    bias = 0.004 if name == "snips" else 0.0  # of the order 1/n
    assert abs(values.mean() - truth()) < 4 * error + bias


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "good dr"])
@pytest.mark.parametrize("interval", [1, 2])
def test_intervals_cover_the_truth_as_often_as_they_say(runs: dict[str, list[Any]], name: str, interval: int) -> None:
    exact = truth()
    covered = [low <= exact <= high for low, high in (run[interval] for run in runs[name])]
    assert 0.90 < np.mean(covered) < 0.985


def test_a_good_model_lowers_the_variance(runs: dict[str, list[tuple[float, ...]]]) -> None:
    spread = {name: np.std([value for value, *_ in values]) for name, values in runs.items()}
    assert spread["good dr"] < 0.9 * spread["ips"]
    assert spread["snips"] < spread["bad dr"]


def test_rows_of_one_entity_are_not_independent() -> None:
    """Ten rows of an entity say as much as one: intervals that took them for ten would be three times too short."""
    exact, covered, naive = truth(), 0, 0
    for seed in range(120):
        made = world(seed, rows=4000, repeats=10)
        low, high = estimate(made.logged, made.target, resamples=1).ips.normal
        covered += low <= exact <= high
        alone = Logged(made.logged.action, made.logged.propensity, made.logged.reward, np.arange(4000))
        low, high = estimate(alone, made.target, resamples=1).ips.normal
        naive += low <= exact <= high
    assert covered > 120 * 0.9
    assert naive < 120 * 0.6


@given(st.integers(0, 1000))
def test_a_policy_that_ran_is_estimated_by_its_own_mean(seed: int) -> None:
    made = world(seed, rows=60)
    random = np.random.default_rng(seed)
    shares = random.dirichlet([3, 3, 3])
    logged = Logged(made.logged.action, shares[made.logged.action], made.logged.reward, made.logged.cluster)
    found = estimate(logged, np.broadcast_to(shares, (60, 3)), resamples=20)
    assert found.ips.value == found.snips.value == pytest.approx(found.logged.value)
    assert found.gain.value == pytest.approx(found.dr.value - found.logged.value)


@given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 5))
@settings(deadline=None)
def test_snips_and_dr_move_with_the_rewards(seed: int, add: float, times: float) -> None:
    """IPS does not: what is added to all rewards moves it by the mean weight."""
    made = world(seed, rows=60)
    log = made.logged
    moved = Logged(log.action, log.propensity, log.reward * times + add, log.cluster)
    before, after = (estimate(one, made.target, resamples=20) for one in (log, moved))
    for kind in ("snips", "dr"):
        assert getattr(after, kind).value == pytest.approx(getattr(before, kind).value * times + add, abs=1e-9)


def test_by_hand() -> None:
    logged = Logged(np.array([0, 1]), np.array([0.5, 0.25]), np.array([1.0, 0.0]), np.array([0, 1]))
    target = np.array([[0.8, 0.2], [0.8, 0.2]])
    assert weights(logged, target).tolist() == pytest.approx([1.6, 0.8])
    assert mean_rewards(logged, 3).tolist() == [[1.0, 0.0, 0.5]] * 2
    found = estimate(logged, target)
    assert found.ips.value == pytest.approx(0.8)
    assert found.snips.value == pytest.approx(1.6 / 2.4)
    assert found.dr.value == pytest.approx(0.8)


def test_a_million_rows_take_seconds() -> None:
    made = world(1, rows=1_000_000)
    began = time.process_time()
    found = estimate(made.logged, made.target)
    assert time.process_time() - began < 5
    assert found.ips.normal[0] < truth() < found.ips.normal[1]
    width = np.subtract(*found.ips.normal[::-1]), np.subtract(*found.ips.bootstrap[::-1])
    assert width[0] == pytest.approx(width[1], rel=0.15)


def always(arm: int) -> Callable[[Numbers], Numbers]:
    return lambda x: np.broadcast_to(np.eye(3)[arm], (len(x), 3))


def test_the_effective_size() -> None:
    made = world(3, rows=3000, policy=lambda x: logging(x))
    found = overlap(made.logged, made.target, ARMS)
    assert (found.effective, found.mean_weight, found.largest_weight) == pytest.approx((3000, 1, 1))
    check(found, 100)
    one = overlap(world(3, rows=3000, policy=always(0)).logged, always(0)(np.zeros(3000)), ARMS)
    assert 100 < one.effective < 1500
    check(one, 100)
    with pytest.raises(TooLittleOverlap, match=r"3,000 requests say as much as \d+ of .* 2000 are needed: log"):
        check(one, 2000)


def test_an_action_that_never_happened() -> None:
    logged = Logged(np.zeros(500, int), np.full(500, 0.5), np.ones(500), np.arange(500))
    target = np.broadcast_to(np.array([0.8, 0.2]), (500, 2))
    with pytest.raises(TooLittleOverlap, match=r"takes 'b' in 20 % of the requests, and the log has no reward of it"):
        check(overlap(logged, target, ("a", "b")), 10)


def test_an_action_that_could_not_happen_everywhere() -> None:
    """Half of the requests came before the arm had any traffic."""
    made = world(5, rows=4000, policy=always(1))
    early = np.arange(4000) < 2000
    action, chance = np.where(early, 0, made.logged.action), np.where(early, 1.0, made.logged.propensity)
    logged = Logged(action, chance, made.logged.reward, made.logged.cluster)
    with pytest.raises(TooLittleOverlap, match=r"the weights average 0\.\d+ .* and not 1"):
        check(overlap(logged, made.target, ARMS), 100)
