"""Figures from repeated measurements."""

from collections.abc import Sequence
from statistics import median


def median_of(values: Sequence[float | None]) -> float | None:
    """The median of those that could be measured; None of none."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def median_ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    """The median over the rounds of `ours` over `theirs`: what changes from round to round cancels out.

    A round in which either is missing does not count.
    """
    pairs = zip(ours, theirs, strict=False)
    return median_of([a / b for a, b in pairs if a is not None and b])


def median_difference(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    """The median over the rounds of `ours` less `theirs`; a round in which either is missing does not count."""
    return median_of([a - b for a, b in zip(ours, theirs, strict=False) if a is not None and b is not None])


def growth(samples: Sequence[float]) -> float | None:
    """How much the last fifth's median exceeds the first fifth's, as a share of it; None of fewer than ten samples."""
    if len(samples) < 10:
        return None
    fifth = len(samples) // 5
    before = median(samples[:fifth])
    return median(samples[-fifth:]) / before - 1 if before else None
