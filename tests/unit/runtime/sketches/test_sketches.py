"""PSI, KS, bins and sketches: their definitions, their invariants, and scipy's opinion."""

import json
import math
import re
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from turnout_runtime.sketches.bins import Bins, bins_of, quantile_bins
from turnout_runtime.sketches.category import CategorySketch, known_categories
from turnout_runtime.sketches.compare import distance
from turnout_runtime.sketches.document import document, merged, parse
from turnout_runtime.sketches.grid import CELLS, GridSketch
from turnout_runtime.sketches.measures import ks, ks_p_value, psi, psi_by_chance
from turnout_runtime.sketches.number import NumberSketch

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SAMPLES = st.lists(st.one_of(FLOATS, st.integers(-3, 3).map(float)), min_size=1, max_size=300)
WITH_MISSING = st.lists(st.one_of(FLOATS, st.sampled_from([math.nan, math.inf, -math.inf, 0.1, -0.0])), max_size=60)
PARTS = st.lists(WITH_MISSING, min_size=3, max_size=3)


def array(values: list[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.sort(np.array(values, np.float64))


def seen(empty: Any, values: list[float]) -> Any:
    sketch = empty.empty()
    sketch.observe(np.array(values, np.float64))
    return {"x": sketch}


def counted(empty: CategorySketch, names: list[str | None]) -> dict[str, Any]:
    sketch = empty.empty()
    sketch.observe(names)
    return {"x": sketch}


def made(bins: Bins | None, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Any:
    return seen(GridSketch() if bins is None else NumberSketch(bins), values.tolist())["x"]


def number(**fields: Any) -> dict[str, Any]:
    column = {"kind": "number", "edges": [1, 2], "coarse": [0], "counts": [1, 2, 3], "missing": 0, **fields}
    return {"schema_version": 1, "columns": {"x": column}}


def grid(**fields: Any) -> dict[str, Any]:
    column = {"kind": "grid", "level": 3, "cells": [1, 2], "counts": [1, 2], "missing": 0, **fields}
    return {"schema_version": 1, "columns": {"x": column}}


def filled(bins: Bins, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> NumberSketch:
    sketch = NumberSketch(bins)
    sketch.observe(values)
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
@example([3.4028234663852886e38] * 2)
@example([-3.4028234663852886e38] * 2)
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
    sketch.observe(logged.astype(np.float32).astype(np.float64))
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


@given(SAMPLES, PARTS)
def test_merging_is_associative_and_commutative_and_loses_nothing(
    reference: list[float], parts: list[list[float]]
) -> None:
    bins = quantile_bins(array(reference))
    for empty in (NumberSketch(bins), GridSketch()):
        a, b, c = (seen(empty, part) for part in parts)
        whole = seen(empty, [value for part in parts for value in part])
        for together in (
            merged(merged(a, b), c), merged(a, merged(b, c)), merged(merged(c, a), b), merged(c, merged(b, a))
        ):  # fmt: skip
            assert document(together) == document(whole)
        assert document(whole)["rows"] == sum(map(len, parts))


@given(SAMPLES, st.integers(0, 300))
def test_a_grid_is_the_same_whatever_came_first(values: list[float], cut: int) -> None:
    spread = [value * factor for value in values for factor in (1, 1.001, 1.1)]
    one = seen(GridSketch(), [*spread[cut:], *spread[:cut]])
    other = merged(seen(GridSketch(), spread[:cut]), seen(GridSketch(), spread[cut:]))
    assert document(one) == document(other)
    assert len(document(one)["columns"]["x"]["cells"]) <= CELLS


@given(SAMPLES)
def test_a_grid_holds_each_value_in_a_cell_that_begins_below_it(values: list[float]) -> None:
    sketch = GridSketch()
    sketch.observe(array(values))
    histogram = sketch.histogram()
    assert histogram.size == sketch.size == len(values)
    low, high = histogram.known(np.sort(histogram.edges))
    exact = np.array([np.mean(array(values) < edge) for edge in np.sort(histogram.edges)])
    assert np.allclose(low, exact)
    assert np.allclose(high, exact)


@given(SAMPLES, SAMPLES, SAMPLES)
def test_sketches_of_different_kinds_still_bound_ks(one: list[float], before: list[float], now: list[float]) -> None:
    """Two revisions have each their own reference, or none: what is told of them must hold all the same."""
    reference, current = np.float32(array(before)).astype(float), np.float32(array(now)).astype(float)
    exact = ks(reference, current)
    bins, others = quantile_bins(reference), quantile_bins(array(one))
    for a, b in ((bins, others), (bins, None), (None, others), (None, None)):
        found = distance(made(a, reference), made(b, current))
        assert found is not None
        assert found.ks is not None
        assert found.ks[0] - 1e-9 <= exact <= found.ks[1] + 1e-9
        assert found.psi >= 0


def test_a_shift_is_seen_whatever_the_sketches_were_made_with() -> None:
    random = np.random.default_rng(5)
    before, now, same = random.normal(10, 3, 20_000), random.normal(12, 3, 20_000), random.normal(10, 3, 20_000)
    own, foreign = quantile_bins(before), quantile_bins(random.normal(11, 4, 9000))
    grouped = own.grouped(own.count(before)), own.grouped(own.count(now))
    for a, b in ((own, own), (own, foreign), (foreign, own), (own, None), (None, own), (None, None)):
        moved, still = (distance(made(a, before), made(b, values)) for values in (now, same))
        assert moved is not None
        assert still is not None
        assert moved.psi == pytest.approx(psi(*grouped), rel=0.12)
        assert moved.ks is not None
        assert moved.ks[1] - moved.ks[0] < 0.06
        assert still.psi < 0.01


def test_a_number_and_a_category_cannot_be_compared_or_merged() -> None:
    assert distance(GridSketch(), CategorySketch()) is None
    with pytest.raises(ValueError, match="x: the sketches are of other kinds"):
        merged({"x": GridSketch()}, {"x": CategorySketch()})
    empty = distance(GridSketch(), GridSketch())
    assert empty is not None
    assert math.isnan(empty.psi)


def test_sketches_of_other_bins_do_not_merge() -> None:
    a, b = NumberSketch(Bins((1.0,), (1.0,))), NumberSketch(Bins((2.0,), (2.0,)))
    for use in (a.merged, a.psi, a.ks):
        with pytest.raises(ValueError, match="other bins"):
            use(b)
    with pytest.raises(ValueError, match="wind: the sketches have other bins"):
        merged({"wind": a}, {"wind": b})
    with pytest.raises(ValueError, match="3 counts for 2 bins"):
        NumberSketch(Bins((1.0,), (1.0,)), [1, 2, 3])
    with pytest.raises(ValueError, match="other categories"):
        CategorySketch(("a",)).merged(CategorySketch(("b",)))


NAMES = st.lists(st.one_of(st.sampled_from([*"abcdef", None]), st.integers(0, 200).map(str)), max_size=200)


@given(NAMES, NAMES, NAMES, st.booleans())
def test_categories_merge_too(
    first: list[str | None], second: list[str | None], third: list[str | None], fixed: bool
) -> None:
    empty = CategorySketch(tuple("abc")) if fixed else CategorySketch()
    a, b, c = (counted(empty, names) for names in (first, second, third))
    whole = counted(empty, [*third, *first, *second])
    for together in (merged(merged(a, b), c), merged(c, merged(b, a))):
        assert document(together) == document(whole)
    assert whole["x"].size + whole["x"].missing == len(first) + len(second) + len(third)
    assert len(document(whole)["columns"]["x"]["counts"]) <= 64


def test_categories_that_only_one_of_both_tells_apart() -> None:
    before, now, free = CategorySketch(("a", "b")), CategorySketch(("b", "c")), CategorySketch()
    for sketch in (before, now, free):
        sketch.observe([*"aaabbc", None])
    assert now.psi(before) == free.psi(before) == before.psi(free) == 0.0
    found = distance(before, free)
    assert found is not None
    assert (found.psi, found.ks) == (0.0, None)


def test_no_more_categories_than_memory_is_bounded_to() -> None:
    seen_before = Counter({f"c{n}": n for n in range(1, 200)})
    known = known_categories(seen_before)
    assert len(known) == 64
    assert "c199" in known
    assert "c135" not in known


@given(SAMPLES, SAMPLES, NAMES)
def test_documents_say_all_of_a_sketch(reference: list[float], now: list[float], names: list[str | None]) -> None:
    sketches = {
        "score": filled(quantile_bins(array(reference)), array(now)),
        "features.x": seen(GridSketch(), [*now, math.nan])["x"],
        "decision": counted(CategorySketch(("a", "b")), names)["x"],
        "features.y": counted(CategorySketch(), names)["x"],
    }
    told = document(sketches)
    again = parse(json.loads(json.dumps(told)))
    assert document(again) == told
    assert document(merged(again, sketches))["rows"] == 2 * told["rows"]  # bins came back to the last bit


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([], "schema_version is None: these are no sketches"),
        ({"schema_version": 9}, "schema_version is 9"),
        ({"schema_version": 1, "columns": []}, "columns: must be an object"),
        ({"schema_version": 1, "columns": {"x": 5}}, "columns.x: "),
        ({"schema_version": 1, "columns": {"x": {"kind": "number", "missing": 0}}}, "columns.x: edges is missing"),
        ({"schema_version": 1, "columns": {"x": {"kind": "odd", "missing": 0}}}, "columns.x: kind 'odd' is none of"),
        (number(edges=[2, 1]), "columns.x: edges must be finite, and increase"),
        (number(coarse=[2]), "columns.x: coarse must be places of edges"),
        (number(counts=[1, 2]), "columns.x: 2 counts for 3 bins"),
        (number(counts=[1, 2, -3]), "columns.x: -3 is no count"),
        (grid(cells=[5, 4]), "columns.x: give a level of 0 to 31"),
        (grid(level=99), "columns.x: give a level of 0 to 31"),
        (grid(cells=["a", "b"]), "columns.x: "),
    ],
)
def test_documents_that_are_none(told: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(told)


def test_a_document_of_a_known_number() -> None:
    sketch = NumberSketch(bins_of([0.1, 0.7, 2.5], [0, 2]))
    sketch.observe(np.array([0.1, 0.7, 0.70000005, 0.69, math.nan, -3.0]))
    assert document({"x": sketch})["columns"]["x"] == {
        "kind": "number", "edges": [0.1, 0.7, 2.5], "coarse": [0, 2], "counts": [1, 2, 2, 0], "missing": 1
    }  # fmt: skip
