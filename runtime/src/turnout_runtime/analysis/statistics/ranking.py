"""How well scores rank: the area under the ROC curve."""

import numpy as np

from turnout_runtime.analysis.statistics.estimate import (
    LEVEL,
    Array,
    Clusters,
    Estimate,
    effective,
    normal_quantile,
    variance_of_sum,
)
from turnout_runtime.analysis.statistics.rates import too_few

FEWEST = 10
"""Fewer positives or negatives give no interval: the variance itself would be a guess."""


def auc(
    scores: Array,
    labels: Array,
    weights: Array | None = None,
    level: float = LEVEL,
    clusters: Clusters | None = None,
) -> Estimate:
    """The probability that a positive (label 1) scores higher than a negative (0), ties counting half.

    DeLong, DeLong and Clarke-Pearson (1988), by sorting, O(n log n) (Sun and Xu 2014). The interval is normal on the
    logit scale, so that it stays within 0 and 1 and holds near 1 (Pepe 2003, 5.2.4). Weighted, the placement values
    are weighted shares, and their variance is the linearised one; equal weights give DeLong's own.
    In clusters it is that of the clusters' sums of both (Obuchowski 1997).
    """
    positive = labels > 0.5
    weights_of = (None, None) if weights is None else (weights[positive], weights[~positive])
    for part, rows, what in zip(weights_of, (positive, ~positive), ("positives", "negatives"), strict=True):
        if (count := effective(part, int(rows.sum()))) < FEWEST:
            return Estimate(note=too_few(count, FEWEST, what))
    above, below = scores[positive], scores[~positive]
    of_positives = _placed(above, below, weights_of[1])
    of_negatives = 1 - _placed(below, above, weights_of[0])
    value, variance = _mean_and_variance(of_positives, weights_of[0])
    if clusters is None:
        variance += _mean_and_variance(of_negatives, weights_of[1])[1]
    else:
        parts = np.empty(len(scores))
        parts[positive] = _shares(len(above), weights_of[0]) * (of_positives - value)
        parts[~positive] = _shares(len(below), weights_of[1]) * (of_negatives - value)
        variance, count = variance_of_sum(parts, clusters)
        if count < FEWEST:
            return Estimate(note=too_few(count, FEWEST, "entities"))
    return _interval(min(1.0, value), variance, level)


def _placed(values: Array, others: Array, weights: Array | None) -> Array:
    """For each value the weighted share of the others that are less, ties counting half."""
    order = np.argsort(others, kind="stable")
    ordered = others[order]
    if weights is None:
        ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
        return np.asarray(ranks / (2 * len(others)), dtype=np.float64)
    below = np.concatenate(([0.0], np.cumsum(weights[order])))
    sums = below[np.searchsorted(ordered, values, "left")] + below[np.searchsorted(ordered, values, "right")]
    return np.asarray(sums / (2 * below[-1]), dtype=np.float64)


def _mean_and_variance(values: Array, weights: Array | None) -> tuple[float, float]:
    """Of the mean; the variance with n - 1."""
    count = len(values)
    share = _shares(count, weights)
    value = float(share @ values)
    return value, float(share**2 @ (values - value) ** 2) * count / (count - 1)


def _shares(count: int, weights: Array | None) -> Array:
    return np.full(count, 1 / count) if weights is None else weights / weights.sum()


def _interval(value: float, variance: float, level: float) -> Estimate:
    if not 0 < value < 1 or variance == 0:
        return Estimate(value, note="no interval: the scores separate the labels completely")
    logit, half = np.log(value / (1 - value)), normal_quantile(level) * variance**0.5 / (value * (1 - value))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (logit - half, logit + half))
    return Estimate(value, low, high, variance)
