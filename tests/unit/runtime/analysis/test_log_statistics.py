"""The figures are those of others, and their intervals hold what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from turnout_runtime.analysis.statistics.calibration import expected_error, recalibration, reliability
from turnout_runtime.analysis.statistics.estimate import Estimate, difference, normal_quantile, student_quantile
from turnout_runtime.analysis.statistics.ranking import auc
from turnout_runtime.analysis.statistics.rates import mean, share, share_difference

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def sample(seed: int, count: int = 200, ties: bool = False) -> tuple[Floats, Floats, Floats]:
    """Scores, labels that follow them, and weights."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 3, count)
    if ties:
        scores = np.round(scores, 1)
    labels = (rng.random(count) < scores).astype(float)
    return scores, labels, rng.uniform(0.5, 4, count)


@pytest.mark.parametrize("degrees", [10, 29, 100, 1e5])
def test_quantiles(degrees: float) -> None:
    assert normal_quantile() == pytest.approx(stats.norm.ppf(0.975))
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=1e-4)


@given(SEEDS, st.booleans(), st.booleans())
@settings(max_examples=50, deadline=None)
def test_auc_is_scikit_learns(seed: int, ties: bool, weighted: bool) -> None:
    scores, labels, weights = sample(seed, ties=ties)
    chosen = weights if weighted else None
    found = auc(scores, labels, chosen)
    assert found.value == pytest.approx(roc_auc_score(labels, scores, sample_weight=chosen))
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert 0 < found.low < found.value < found.high < 1


def delong(scores: Floats, labels: Floats) -> float:
    """The variance as the paper writes it, over all pairs."""
    above, below = scores[labels == 1], scores[labels == 0]
    kernel = (above[:, None] > below[None]) + 0.5 * (above[:, None] == below[None])
    return float(np.var(kernel.mean(1), ddof=1) / len(above) + np.var(kernel.mean(0), ddof=1) / len(below))


@given(SEEDS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_variance_is_delongs_also_with_equal_weights(seed: int, ties: bool) -> None:
    scores, labels, _ = sample(seed, ties=ties)
    assert auc(scores, labels).variance == pytest.approx(delong(scores, labels))
    assert auc(scores, labels, np.full(len(scores), 7.0)).variance == pytest.approx(delong(scores, labels))


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_what_auc_does_not_depend_on(seed: int) -> None:
    scores, labels, weights = sample(seed)
    order = np.random.default_rng(seed).permutation(len(scores))
    there = auc(scores, labels, weights).value
    assert there is not None
    assert auc(scores[order], labels[order], weights[order]).value == pytest.approx(there)
    assert auc(np.exp(5 * scores), labels, 3 * weights).value == pytest.approx(there)
    assert auc(-scores, labels, weights).value == pytest.approx(1 - there)
    assert auc(scores, 1 - labels, weights).value == pytest.approx(1 - there)


def test_auc_says_when_it_cannot_be_known() -> None:
    labels = np.array([1.0] * 9 + [0.0] * 50)
    assert auc(np.arange(59.0), labels).note == "too little data: 9 positives, 10 needed"
    assert auc(np.arange(59.0), 1 - labels).note == "too little data: 9 negatives, 10 needed"
    perfect = auc(np.concatenate((np.ones(20), np.zeros(20))), np.repeat([1.0, 0.0], 20))
    assert (perfect.value, perfect.low) == (1.0, None)
    assert perfect.note == "no interval: the scores separate the labels completely"


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_means_are_scipys(seed: int) -> None:
    scores, labels, weights = sample(seed)
    errors = (scores - labels) ** 2
    found = mean(errors)
    low, high = stats.t.interval(0.95, len(errors) - 1, errors.mean(), stats.sem(errors))
    assert found.value == pytest.approx(brier_score_loss(labels, scores))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert mean(errors, weights).value == pytest.approx(brier_score_loss(labels, scores, sample_weight=weights))
    same = mean(errors, np.full(len(errors), 0.3))
    assert (same.value, same.variance) == pytest.approx((found.value, found.variance))
    assert mean(errors[:29]).note == "too little data: 29 rows, 30 needed"


@given(st.integers(1, 300), st.floats(0, 1))
@settings(deadline=None)
def test_shares_are_scipys(count: int, part: float) -> None:
    hits = np.zeros(count)
    hits[: round(part * count)] = 1
    found = share(hits)
    expected = stats.binomtest(int(hits.sum()), count).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    doubled = share(hits, np.full(count, 2.0))
    assert (doubled.low, doubled.high) == pytest.approx((found.low, found.high))


def test_newcombes_own_example() -> None:
    """Newcombe (1998), table II, (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339."""
    a, b = (share(np.repeat([1.0, 0.0], [hits, count - hits])) for hits, count in ((56, 70), (48, 80)))
    found = share_difference(a, b)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_reliability_is_scikit_learns(seed: int) -> None:
    scores, labels, weights = sample(seed)
    shares, scored = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    bins = reliability(scores, labels)
    assert [each.score for each in bins] == pytest.approx(list(scored), abs=0.02)
    assert sum(each.count for each in bins) == len(scores)
    assert np.mean([each.positives.value or 0.0 for each in bins]) == pytest.approx(float(np.mean(shares)), abs=0.02)
    assert 0 <= expected_error(reliability(scores, labels, weights)) <= 1


def test_equal_scores_stay_in_one_bin_and_errors_are_seen() -> None:
    labels = np.repeat([1.0, 0.0], [20, 80])
    bins = reliability(np.full(100, 0.5), labels)
    assert [(each.count, each.score, each.positives.value) for each in bins] == [(100, 0.5, 0.2)]
    assert expected_error(bins) == pytest.approx(0.3)
    assert expected_error(reliability(np.full(100, 0.2), labels)) == pytest.approx(0)


@given(SEEDS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_recalibration_is_scikit_learns(seed: int, weighted: bool) -> None:
    scores, labels, weights = sample(seed)
    chosen = weights if weighted else None
    logit = np.log(scores / (1 - scores))[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit, labels, sample_weight=chosen)
    intercept, slope = recalibration(scores, labels, chosen)
    found, expected = (intercept.value, slope.value), (fitted.intercept_[0], fitted.coef_[0, 0])
    assert found == pytest.approx(expected, abs=1e-3)


def test_recalibration_says_when_it_cannot_be_known() -> None:
    labels = np.repeat([1.0, 0.0], [20, 20])
    for scores, labelled, note in (
        (np.full(40, 0.5), labels, "all scores are equal"),
        (np.concatenate((np.linspace(0.6, 0.9, 20), np.linspace(0.1, 0.4, 20))), labels, "separate the labels"),
        (np.linspace(0.1, 0.9, 12), np.repeat([1.0, 0.0], [3, 9]), "3 of one label, 10 needed"),
    ):
        assert all(note in str(found.note) for found in recalibration(scores, labelled))


def covered(found: Estimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


RUNS = 1000
BAND = (0.93, 0.97)
"""Three standard errors of a share of 0.95 in 1,000 runs."""


def coverage(intervals: list[bool]) -> None:
    assert BAND[0] <= float(np.mean(intervals)) <= BAND[1]


@pytest.mark.parametrize(("positives", "distance"), [(20, 1.0), (100, 2.5)])
def test_auc_intervals_cover(positives: int, distance: float) -> None:
    """Normal scores: the true area is Φ(distance / √2)."""
    rng, truth = np.random.default_rng(1), float(stats.norm.cdf(distance / 2**0.5))
    labels = np.repeat([1.0, 0.0], [positives, 200])
    runs = (auc(rng.normal(distance * labels), labels) for _ in range(RUNS))
    coverage([covered(found, truth) for found in runs])


def test_weighted_intervals_cover_the_whole_population() -> None:
    """Rows are seen with a probability that depends on the label: weights undo it."""
    rng, truth = np.random.default_rng(2), float(stats.norm.cdf(1 / 2**0.5))
    areas, means, naive = [], [], []
    for _ in range(RUNS):
        labels = (rng.random(1500) < 0.3).astype(float)
        scores = rng.normal(labels)
        seen = rng.random(1500) < (probability := np.where(scores > 0.5, 0.5, 0.15))
        weights = 1 / probability[seen]
        areas.append(covered(auc(scores[seen], labels[seen], weights), truth))
        means.append(covered(mean(labels[seen], weights), 0.3))
        naive.append(covered(mean(labels[seen]), 0.3))
    coverage(areas)
    coverage(means)
    assert np.mean(naive) < 0.1


def test_mean_share_and_slope_intervals_cover() -> None:
    rng = np.random.default_rng(3)
    means, slopes, shares, differences = [], [], [], []
    for _ in range(RUNS):
        values, others = rng.exponential(1, 100), rng.exponential(1.5, 80)
        means.append(covered(mean(values), 1))
        differences.append(covered(difference(mean(others), mean(values)), 0.5))
        shares.append(covered(share((rng.random(60) < 0.1).astype(float)), 0.1))
        truth = rng.beta(2, 3, 400)
        told = 1 / (1 + (truth / (1 - truth)) ** -2.0)  # twice as sure as it may be: a slope of 1/2
        slopes.append(covered(recalibration(told, (rng.random(400) < truth).astype(float))[1], 0.5))
    assert np.mean(means) > 0.915  # exponential values are skewed: Student's interval has 93 % here
    assert np.mean(differences) > 0.92
    assert np.mean(shares) > 0.92
    coverage(slopes)


def test_intervals_of_entities_cover_where_those_of_rows_do_not() -> None:
    """60 entities with 1 to 12 answers each, alike in score and label: what is told again tells little."""
    rng = np.random.default_rng(6)
    truth = float(stats.norm.cdf(1 / 2**0.5))
    covers: dict[str, list[bool]] = {name: [] for name in ("auc", "share", "mean", "slope", "naive auc", "naive share")}
    for _ in range(RUNS):
        of = np.repeat(np.arange(60), rng.integers(1, 13, 60))
        label = (rng.random(60) < 0.5).astype(float)[of]
        score = rng.normal(label[np.unique(of, return_index=True)[1]])[of] + rng.normal(0, 0.01, len(of))
        chance = rng.beta(2, 3, 60)[of]
        late = (rng.random(60) < chance[np.unique(of, return_index=True)[1]]).astype(float)[of]
        covers["auc"].append(covered(auc(score, label, clusters=of), truth))
        covers["naive auc"].append(covered(auc(score, label), truth))
        covers["share"].append(covered(share(label, clusters=of), 0.5))
        covers["naive share"].append(covered(share(label), 0.5))
        covers["mean"].append(covered(mean(score, clusters=of), 0.5))
        covers["slope"].append(covered(recalibration(chance, late, clusters=of)[1], 1.0))
    rates = {name: float(np.mean(found)) for name, found in covers.items()}
    assert rates["naive auc"] < 0.65
    assert rates["naive share"] < 0.65
    assert all(0.92 < rates[name] < 0.97 for name in ("auc", "share", "mean", "slope")), rates


@given(SEEDS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_each_row_a_cluster_is_as_without(seed: int, weighted: bool) -> None:
    scores, labels, weights = sample(seed)
    chosen, alone = weights if weighted else None, np.arange(len(scores))
    for figure in (mean, share):
        plain, clustered = figure(labels, chosen), figure(labels, chosen, clusters=alone)
        assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), rel=0.02)
    pairs = zip(
        recalibration(scores, labels, chosen), recalibration(scores, labels, chosen, clusters=alone), strict=True
    )
    assert all(one.variance == pytest.approx(two.variance) for one, two in pairs)
    one, two = auc(scores, labels, chosen), auc(scores, labels, chosen, clusters=alone)
    assert two.variance == pytest.approx(one.variance, rel=0.05)


def test_too_few_entities_say_so() -> None:
    labels, of = np.tile([1.0, 0.0], 50), np.repeat(np.arange(5), 20)
    assert mean(labels, clusters=of).note == "too little data: 5 entities, 30 needed"
    assert auc(np.arange(100.0), labels, clusters=of).note == "too little data: 5 entities, 10 needed"


def test_newcombes_intervals_cover_also_small_shares() -> None:
    rng = np.random.default_rng(4)
    runs = [tuple(share((rng.random(n) < p).astype(float)) for n, p in ((80, 0.15), (60, 0.05))) for _ in range(RUNS)]
    assert np.mean([covered(share_difference(a, b), 0.1) for a, b in runs]) > 0.93
