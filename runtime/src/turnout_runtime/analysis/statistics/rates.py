"""Means and shares."""

import numpy as np

from turnout_runtime.analysis.statistics.estimate import (
    LEVEL,
    Array,
    Clusters,
    Estimate,
    effective,
    normal_quantile,
    student_quantile,
    variance_of_sum,
)

FEWEST = 30
"""Fewer (effective) rows give no interval of a mean: its distribution may be far from normal."""


def mean(
    values: Array, weights: Array | None = None, level: float = LEVEL, clusters: Clusters | None = None
) -> Estimate:
    """The mean with Student's interval; weighted: Hájek's ratio and its linearised variance.

    Särndal, Swensson and Wretman (1992), 5.7. Used for rewards, and for the Brier score, which is the mean of
    (score - label)² (Brier 1950).
    """
    count = effective(weights, len(values))
    if count < FEWEST:
        return Estimate(note=too_few(count, FEWEST, "rows"))
    share = np.full(len(values), 1 / len(values)) if weights is None else weights / weights.sum()
    value = float(share @ values)
    variance, parts = variance_of_sum(share * (values - value), clusters)
    if parts < FEWEST:
        return Estimate(note=too_few(parts, FEWEST, "entities"))
    count = min(count, parts)
    half = student_quantile(count - 1, level) * variance**0.5
    return Estimate(value, value - half, value + half, variance)


def share(
    hits: Array, weights: Array | None = None, level: float = LEVEL, clusters: Clusters | None = None
) -> Estimate:
    """The share of ones with Wilson's interval (Wilson 1927), which holds for few rows and for rare ones, too.

    Weighted or in clusters it is Wilson's with the effective number of rows (Korn and Graubard 1998 do the same to
    Clopper-Pearson): as many as give the same variance, if those are fewer.
    """
    if not len(hits):
        return Estimate(note="no rows")
    count = effective(weights, len(hits))
    value = float(np.mean(hits) if weights is None else weights @ hits / weights.sum())
    if clusters is not None:
        count = min(count, _as_good_as(hits, value, weights, clusters))
    low, high = wilson(value, count, level)
    return Estimate(value, low, high, value * (1 - value) / count)


def _as_good_as(hits: Array, value: float, weights: Array | None, clusters: Clusters) -> float:
    """How many independent rows would tell as much of a share; all alike, no more than there are clusters."""
    part = np.full(len(hits), 1 / len(hits)) if weights is None else weights / weights.sum()
    variance, count = variance_of_sum(part * (hits - value), clusters)
    return value * (1 - value) / variance if variance > 0 else float(count)


def wilson(value: float, count: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share of `count` rows."""
    z2 = normal_quantile(level) ** 2
    middle = (value + z2 / (2 * count)) / (1 + z2 / count)
    half = (z2 * (value * (1 - value) + z2 / (4 * count)) / count) ** 0.5 / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def share_difference(a: Estimate, b: Estimate) -> Estimate:
    """a - b of two shares: Newcombe's hybrid of Wilson's intervals (Newcombe 1998, method 10)."""
    if a.value is None or b.value is None:
        return Estimate(note=a.note or b.note)
    assert a.low is not None
    assert a.high is not None
    assert b.low is not None
    assert b.high is not None
    value = a.value - b.value
    low = value - ((a.value - a.low) ** 2 + (b.high - b.value) ** 2) ** 0.5
    high = value + ((a.high - a.value) ** 2 + (b.value - b.low) ** 2) ** 0.5
    return Estimate(value, low, high)


def too_few(count: float, needed: int, what: str) -> str:
    """Why there is no figure."""
    return f"too little data: {count:.0f} {what}, {needed} needed"
