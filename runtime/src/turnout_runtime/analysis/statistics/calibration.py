"""Whether scores mean what they say as probabilities."""

from dataclasses import dataclass

import numpy as np

from turnout_runtime.analysis.statistics.estimate import LEVEL, Array, Clusters, Estimate, normal_quantile
from turnout_runtime.analysis.statistics.rates import share, too_few

BINS = 10
FEWEST = 10
"""Fewer positives or negatives give no slope: 10 events a coefficient is the least that people use (Peduzzi 1996)."""
_STEPS, _HALVINGS = 50, 30
_FARTHEST, _CONVERGED, _SINGULAR, _ROUNDING = 500.0, 1e-8, 1e14, 1e-10
_EDGE = 1e-12


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows with similar scores: their number, mean score, and share of positives."""

    count: int
    weight: float
    score: float
    positives: Estimate


def reliability(
    scores: Array,
    labels: Array,
    weights: Array | None = None,
    bins: int = BINS,
    level: float = LEVEL,
    clusters: Clusters | None = None,
) -> list[Bin]:
    """Bins of about the same number of rows each, equal scores together; empty ones are left out.

    The shares have Wilson's intervals. Nguyen and O'Connor (2015) on bins of equal mass.
    """
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    places = np.searchsorted(edges, scores, "left")
    found = []
    for place in range(len(edges) + 1):
        rows = places == place
        if rows.any():
            part = None if weights is None else weights[rows]
            weight = float(rows.sum() if part is None else part.sum())
            middle = float(np.average(scores[rows], weights=part))
            among = None if clusters is None else clusters[rows]
            found.append(Bin(int(rows.sum()), weight, middle, share(labels[rows], part, level, among)))
    return found


def expected_error(bins: list[Bin]) -> float:
    """The expected calibration error: mean distance of score and share over the bins (Naeini et al. 2015).

    It is biased upwards where bins have few rows: about 0.4 / sqrt(rows a bin) at worst for a perfect model.
    """
    total = sum(each.weight for each in bins)
    distances = (each.weight * abs(each.score - (each.positives.value or 0.0)) for each in bins)
    return sum(distances) / total


def recalibration(
    scores: Array,
    labels: Array,
    weights: Array | None = None,
    level: float = LEVEL,
    clusters: Clusters | None = None,
) -> tuple[Estimate, Estimate]:
    """Intercept and slope of the logistic regression of labels on logit(score): 0 and 1 when calibrated.

    Cox (1958), by Newton's method. A slope below 1 is overconfidence. Wald intervals with the sandwich variance
    (Huber 1967, White 1982), which also holds for weights, and summed over clusters for those. Scores at 0 and 1 are
    moved inside by 1e-12.
    """
    fewest = int(min(labels.sum(), len(labels) - labels.sum()))
    if fewest < FEWEST:
        note = too_few(fewest, FEWEST, "of one label")
        return Estimate(note=note), Estimate(note=note)
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    design = np.stack((np.ones(len(scores)), np.log(inside / (1 - inside))), axis=1)
    if float(np.ptp(design[:, 1])) == 0:
        note = "all scores are equal"
        return Estimate(note=note), Estimate(note=note)
    weight = np.ones(len(scores)) if weights is None else weights / weights.mean()
    fitted = _fit(design, labels, weight, clusters)
    if fitted is None:
        note = "the scores separate the labels completely"
        return Estimate(note=note), Estimate(note=note)
    coefficients, covariance = fitted
    half = normal_quantile(level) * np.sqrt(np.diag(covariance))
    intercept, slope = (
        Estimate(float(c), float(c - h), float(c + h), float(v))
        for c, h, v in zip(coefficients, half, np.diag(covariance), strict=True)
    )
    return intercept, slope


def _fit(design: Array, labels: Array, weight: Array, clusters: Clusters | None) -> tuple[Array, Array] | None:
    """Coefficients and their covariance, by Newton's method with halved steps; None when there is no maximum."""
    rate = float(weight @ labels / weight.sum())
    coefficients = np.array([np.log(rate / (1 - rate)), 0.0])
    best = _log_likelihood(design, labels, weight, coefficients)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ coefficients, -_FARTHEST, _FARTHEST)))
        residuals = weight * (labels - chance)
        information = design.T @ (design * (weight * chance * (1 - chance))[:, None])
        if np.linalg.cond(information) > _SINGULAR:
            return None
        step = np.linalg.solve(information, design.T @ residuals)
        if float(np.abs(step).max()) < _CONVERGED:
            inverse = np.linalg.inv(information)
            scored = design * residuals[:, None]
            if clusters is not None:
                scored = np.stack([np.bincount(clusters, weights=column) for column in scored.T], axis=1)
            meat = scored.T @ scored
            return coefficients, inverse @ meat @ inverse
        for _ in range(_HALVINGS):
            found = _log_likelihood(design, labels, weight, coefficients + step)
            if found >= best - _ROUNDING * abs(best):
                break
            step = step / 2
        coefficients, best = coefficients + step, found
    return None


def _log_likelihood(design: Array, labels: Array, weight: Array, coefficients: Array) -> float:
    logit = design @ coefficients
    return float(weight @ (labels * logit - np.logaddexp(0, logit)))
