"""Measures of how far two samples are apart. Pure.

PSI, the population stability index, is the symmetric Kullback-Leibler divergence of two histograms (Kullback and
Leibler 1951, "On Information and Sufficiency"); below 0.1 nothing much happened, from 0.25 on the population is
another one (Siddiqi 2006, "Credit Risk Scorecards"). KS is the largest distance of two distribution functions (Smirnov
1948).
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
_FLOOR = 0.5  # what an empty bin counts as where the other sample has values, so that PSI stays finite


def psi(reference: Counts, current: Counts) -> float:
    """PSI of two histograms over the same bins, 0 or more; NaN when one of them is empty."""
    n, m = int(reference.sum()), int(current.sum())
    if n == 0 or m == 0:
        return math.nan
    used = (reference > 0) | (current > 0)
    p, q = np.maximum(reference[used], _FLOOR) / n, np.maximum(current[used], _FLOOR) / m
    return float(np.sum((p - q) * np.log(p / q)))


def psi_by_chance(bins: int, n: int, m: int, level: float = 0.95) -> float:
    """What PSI stays below with the probability `level` when nothing moved.

    PSI of two samples of one population is (1/n + 1/m) times chi-squared with bins - 1 degrees of freedom (Yurdakul
    2018, "Statistical Properties of Population Stability Index"); its quantile is Wilson and Hilferty's (1931).
    """
    if bins < 2 or n == 0 or m == 0:
        return 0.0 if n and m else math.inf
    k = bins - 1
    spread = 2 / (9 * k)
    quantile: float = k * (1 - spread + NormalDist().inv_cdf(level) * math.sqrt(spread)) ** 3
    return quantile * (1 / n + 1 / m)


def ks(reference: Numbers, current: Numbers) -> float:
    """The two-sample KS statistic of sorted values, 0 to 1; NaN when one sample is empty."""
    if not len(reference) or not len(current):
        return math.nan
    values = np.concatenate((reference, current))
    below = np.searchsorted(reference, values, side="right") / len(reference)
    other = np.searchsorted(current, values, side="right") / len(current)
    return float(np.max(np.abs(below - other)))


def ks_p_value(statistic: float, n: int, m: int) -> float:
    """The probability of a KS statistic this large when nothing moved: Kolmogorov's limit, with Stephens' correction
    (1970, "Use of the Kolmogorov-Smirnov, Cramer-Von Mises and Related Statistics") for small samples."""
    if n == 0 or m == 0 or math.isnan(statistic):
        return math.nan
    root = math.sqrt(n * m / (n + m))
    scaled = (root + 0.12 + 0.11 / root) * statistic
    if scaled < 0.2:  # the series no longer converges, and its value is 1 to 12 digits
        return 1.0
    terms = (math.exp(-2 * (k * scaled) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))
