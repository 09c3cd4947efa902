"""What all figures have in common: a value, an interval, or the reason why there is none."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Clusters: TypeAlias = NDArray[np.int64]
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval; `note` says why a part is missing. `variance` is that of `value`."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    variance: float | None = None
    note: str | None = None


def normal_quantile(level: float = LEVEL) -> float:
    """The standard normal's two-sided quantile: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def student_quantile(degrees: float, level: float = LEVEL) -> float:
    """Student's two-sided quantile for 10 degrees of freedom or more, to 4 digits.

    Abramowitz and Stegun (1964), 26.7.5: an expansion around the normal quantile.
    """
    z = normal_quantile(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, 1))


def effective(weights: Array | None, count: int) -> float:
    """How many equally weighted rows say as much: Kish (1965), (Σw)² / Σw²."""
    if weights is None:
        return float(count)
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares else 0.0


def variance_of_sum(parts: Array, clusters: Clusters | None) -> tuple[float, int]:
    """The variance of a sum of parts whose mean is 0, and how many independent parts it consists of: rows or clusters.

    With n - 1, as of a sample: c / (c - 1) times the squares of each cluster's sum.
    """
    sums, count = parts, len(parts)
    if clusters is not None:
        sums = np.bincount(clusters, weights=parts).astype(np.float64)
        count = int(np.count_nonzero(np.bincount(clusters)))
    return float(sums @ sums) * count / max(1, count - 1), count


def difference(a: Estimate, b: Estimate, level: float = LEVEL) -> Estimate:
    """a - b of independent figures, normal interval; without a value of both there is none."""
    if a.value is None or b.value is None or a.variance is None or b.variance is None:
        return Estimate(note=a.note or b.note or "not known of both")
    variance = a.variance + b.variance
    half = normal_quantile(level) * variance**0.5
    value = a.value - b.value
    return Estimate(value, value - half, value + half, variance)
