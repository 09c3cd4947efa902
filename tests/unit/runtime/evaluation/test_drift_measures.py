"""PSI, KS, bins and sketches: their definitions, their invariants, and scipy's opinion."""

import math
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from turnout_runtime.sketches.bins import Bins, quantile_bins
from turnout_runtime.sketches.measures import ks, ks_p_value, psi, psi_by_chance
from turnout_runtime.sketches.number import CategorySketch, FeatureSketches, NumberSketch, known_categories

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SAMPLES = st.lists(st.one_of(FLOATS, st.integers(-3, 3).map(float)), min_size=1, max_size=300)
WITH_MISSING = st.lists(st.one_of(FLOATS, st.just(math.nan), st.none(), st.just(math.inf)), max_size=60)


def array(values: list[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.sort(np.array(values, np.float64))


def filled(bins: Bins, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> NumberSketch:
    sketch = NumberSketch(bins)
    sketch.observe_all(values)
    return sketch


def test_psi_by_hand() -> None:
    p, q = np.array([10, 30, 60]), np.array([20, 30, 50])
    assert psi(p, q) == pytest.approx(0.1 * math.log(2) + 0.1 * math.log(60 / 50))
    assert psi(p, p * 7) == 0.0
    assert psi(np.array([5, 0]), np.array([5, 5])) > 0.5  # an empty bin is no infinity
    assert math.isnan(psi(np.array([0, 0]), np.array([5, 5])))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12))
def test_psi_is_symmetric_and_never_negative(pairs: list[tuple[int, int]]) -> None:
    p, q = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    if p.sum() and q.sum():
        assert psi(p, q) >= 0
        assert psi(p, q) == pytest.approx(psi(q, p))


@given(SAMPLES, SAMPLES)
def test_ks_is_scipys(first: list[float], second: list[float]) -> None:
    a, b = array(first), array(second)
    with warnings.catch_warnings(action="ignore"):  # scipy's doubts are about its p-value
        assert ks(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-12)


@pytest.mark.parametrize("sizes", [(40, 60), (500, 300), (5000, 9000)])
@pytest.mark.parametrize("moved", [0.0, 0.1, 0.3])
def test_the_p_value_is_about_scipys_exact_one(sizes: tuple[int, int], moved: float) -> None:
    random = np.random.default_rng(7)
    a, b = np.sort(random.normal(0, 1, sizes[0])), np.sort(random.normal(moved, 1, sizes[1]))
    exact = stats.ks_2samp(a, b, method="exact" if max(sizes) < 1000 else "asymp").pvalue
    assert ks_p_value(ks(a, b), *sizes) == pytest.approx(exact, abs=0.025)


def test_psi_of_two_windows_of_one_population_stays_below_what_chance_allows() -> None:
    random, over = np.random.default_rng(8), 0
    for _ in range(400):
        before, now = np.sort(random.normal(size=1000)), random.normal(size=700)
        bins = quantile_bins(before)
        value = psi(bins.grouped(bins.count(before)), bins.grouped(bins.count(now)))
        over += value > psi_by_chance(10, 1000, 700)
    assert 400 * 0.05 * 0.4 < over < 400 * 0.05 * 2


def test_chance_is_chi_squared() -> None:
    assert psi_by_chance(10, 1000, 500) == pytest.approx(stats.chi2.ppf(0.95, 9) * (1 / 1000 + 1 / 500), rel=0.005)
    assert psi_by_chance(10, 0, 5) == math.inf
    assert psi_by_chance(1, 5, 5) == 0.0


@given(SAMPLES)
def test_bins_hold_their_promises(values: list[float]) -> None:
    bins = quantile_bins(array(values))
    assert list(bins.edges) == sorted(set(bins.edges))
    assert set(bins.coarse) <= set(bins.edges)
    assert len(bins.edges) <= 180
    counts = bins.count(array(values))
    assert counts.sum() == len(values)
    assert bins.grouped(counts).sum() == len(values)
    several = counts[~bins.single]
    assert several.max(initial=0) <= len(values) / 50 + 1


def test_bins_of_a_number_are_those_of_its_float32_and_of_what_the_log_writes() -> None:
    """0.7 as float32 is less than 0.7: the log, a sketch online, and a training table must agree all the same."""
    logged = np.repeat(np.round(np.arange(0, 1.0, 0.1), 1), 50)
    bins = quantile_bins(logged)
    as_float32 = logged.astype(np.float32).astype(np.float64)
    assert (bins.count(as_float32) == bins.count(logged)).all()
    sketch = NumberSketch(bins)
    for value in logged.astype(np.float32):
        sketch.observe(value)
    assert (sketch.counts == bins.count(logged)).all()


@given(SAMPLES, SAMPLES)
@settings(max_examples=200)
def test_sketches_bound_ks_and_have_the_exact_psi(before: list[float], now: list[float]) -> None:
    reference, current = array(before), array(now)
    bins = quantile_bins(reference)
    sketch, base = filled(bins, current), filled(bins, reference)
    low, high = sketch.ks(base)
    exact = ks(reference, current)
    assert low - 1e-12 <= exact <= high + 1e-12
    several = bins.count(reference)[~bins.single].max(initial=0) / len(reference)
    assert high - low <= several + 1e-12
    coarse = Bins(bins.coarse, bins.coarse)
    assert sketch.psi(base) == pytest.approx(psi(coarse.count(reference), coarse.count(current)))


def test_the_bounds_of_ks_are_tight_for_large_windows() -> None:
    random = np.random.default_rng(9)
    before, now = np.sort(random.gamma(2, 3, 20_000)), np.sort(random.gamma(2.3, 3, 5_000))
    bins = quantile_bins(before)
    low, high = filled(bins, now).ks(filled(bins, before))
    assert low <= ks(before, now) <= high <= low + 0.0201


@given(SAMPLES, WITH_MISSING, WITH_MISSING, WITH_MISSING)
def test_merging_is_associative_and_commutative_and_loses_nothing(
    reference: list[float], first: list[float | None], second: list[float | None], third: list[float | None]
) -> None:
    bins, parts = quantile_bins(array(reference)), (first, second, third)
    whole, sketches = NumberSketch(bins), []
    for part in parts:
        sketch = NumberSketch(bins)
        for value in part:
            sketch.observe(value)
            whole.observe(value)
        sketches.append(sketch)
    a, b, c = sketches
    for merged in (a.merged(b).merged(c), a.merged(b.merged(c)), c.merged(a).merged(b)):
        assert (merged.counts == whole.counts).all()
        assert merged.missing == whole.missing
        assert merged.size + merged.missing == sum(map(len, parts))
    at_once = NumberSketch(bins)
    at_once.observe_all(np.array([math.nan if value is None else value for part in parts for value in part], float))
    assert (at_once.counts == whole.counts).all()
    assert at_once.missing == whole.missing


def test_sketches_of_other_bins_do_not_merge() -> None:
    a, b = NumberSketch(Bins((1.0,), (1.0,))), NumberSketch(Bins((2.0,), (2.0,)))
    for use in (a.merged, a.psi, a.ks):
        with pytest.raises(ValueError, match="other bins"):
            use(b)
    with pytest.raises(ValueError, match="3 counts for 2 bins"):
        NumberSketch(Bins((1.0,), (1.0,)), [1, 2, 3])
    with pytest.raises(ValueError, match="other categories"):
        CategorySketch(["a"]).merged(CategorySketch(["b"]))
    with pytest.raises(ValueError, match="other features"):
        FeatureSketches({"a": a}).merged(FeatureSketches({"b": b}))


@given(st.lists(st.sampled_from([*"abcdef", None])), st.lists(st.sampled_from([*"abcdefgh", None])))
def test_categories_merge_too(first: list[str | None], second: list[str | None]) -> None:
    sketches = [CategorySketch("abc") for _ in range(3)]
    for values, own in ((first, sketches[0]), (second, sketches[1])):
        for value in values:
            own.observe(value)
            sketches[2].observe(value)
    for merged in (sketches[0].merged(sketches[1]), sketches[1].merged(sketches[0])):
        assert (merged.counts == sketches[2].counts).all()
        assert (merged.missing, merged.size) == (sketches[2].missing, sketches[2].size)


def test_no_more_categories_than_memory_is_bounded_to() -> None:
    from collections import Counter

    seen = Counter({f"c{n}": n for n in range(1, 200)})
    known = known_categories(seen)
    assert len(known) == 64
    assert "c199" in known
    assert "c135" not in known


def test_a_feature_costs_a_sketch_no_more_than_a_microsecond() -> None:
    random = np.random.default_rng(1)
    names = [f"f{n}" for n in range(14)]
    made = {name: NumberSketch(quantile_bins(random.normal(size=5000))) for name in names}
    sketches = FeatureSketches(made)
    rows = [dict(zip(names, row, strict=True)) for row in random.normal(size=(500, 14)).tolist()]
    best = min(_seconds(sketches, rows) for _ in range(7))
    assert best / (500 * 14) < 1e-6
    assert made["f0"].size == 7 * 500


def _seconds(sketches: FeatureSketches, rows: list[dict[str, float]]) -> float:
    began = time.perf_counter()
    for row in rows:
        sketches.observe(row)
    return time.perf_counter() - began
