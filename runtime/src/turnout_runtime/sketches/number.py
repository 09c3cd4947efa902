"""Sketches of features: what a process can keep of all it has seen, at the price of a count.

Sketches with the same bins merge by addition, so in any order and grouping: of processes, pods and hours. Their memory
is fixed by their reference: at most 181 counts of a number, 65 of a category.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from turnout_runtime.sketches.bins import Bins
from turnout_runtime.sketches.measures import Counts, Numbers, psi

CATEGORIES = 64
"""The reference's most frequent categories that are told apart; all others are one."""


class NumberSketch:
    """A histogram of a number over the bins of its reference."""

    __slots__ = ("_counts", "_edges", "bins", "missing")

    def __init__(self, bins: Bins, counts: Sequence[int] | None = None, missing: int = 0) -> None:
        """Empty, or with what was counted before; raises `ValueError` when that has other bins."""
        self.bins, self._edges, self.missing = bins, bins.edges, missing
        self._counts = [0] * (len(bins.edges) + 1) if counts is None else [int(count) for count in counts]
        if len(self._counts) != len(bins.edges) + 1:
            raise ValueError(f"{len(self._counts)} counts for {len(bins.edges) + 1} bins")

    def observe(self, value: float | None) -> None:
        """Count one value; None, NaN and infinity are missing."""
        if value is None or value - value != 0:
            self.missing += 1
        else:
            self._counts[bisect_right(self._edges, float(value))] += 1

    def observe_all(self, values: Numbers) -> None:
        """Count an array of values; NaN and infinity are missing."""
        present = values[np.isfinite(values)]
        self.missing += len(values) - len(present)
        self._counts = (self.counts + self.bins.count(present)).tolist()

    @property
    def counts(self) -> Counts:
        """Values in each bin."""
        return np.array(self._counts, np.int64)

    @property
    def size(self) -> int:
        """How many values there are, without the missing ones."""
        return sum(self._counts)

    def merged(self, other: "NumberSketch") -> "NumberSketch":
        """What both have counted; raises `ValueError` for one with other bins."""
        self._check(other)
        return NumberSketch(self.bins, (self.counts + other.counts).tolist(), self.missing + other.missing)

    def psi(self, reference: "NumberSketch") -> float:
        """PSI against the reference: the same number as from the values themselves."""
        self._check(reference)
        return psi(self.bins.grouped(reference.counts), self.bins.grouped(self.counts))

    def ks(self, reference: "NumberSketch") -> tuple[float, float]:
        """Bounds of KS against the reference, apart by no more than the largest share of it in a bin of several values
        (about 1/50); values that float32 does not tell apart count as one. NaN when one of both is empty."""
        self._check(reference)
        if not self.size or not reference.size:
            return float("nan"), float("nan")
        f = np.concatenate(([0.0], np.cumsum(reference.counts) / reference.size))
        g = np.concatenate(([0.0], np.cumsum(self.counts) / self.size))
        low = float(np.max(np.abs(f - g)))
        within = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])[~self.bins.single]
        return low, min(1.0, max(low, float(within.max(initial=0.0))))

    def _check(self, other: "NumberSketch") -> None:
        if self.bins is not other.bins and self.bins != other.bins:
            raise ValueError("the sketches have other bins: make both from the same reference")


class FeatureSketches:
    """The sketches of a workflow's features, by name."""

    def __init__(self, sketches: Mapping[str, NumberSketch]) -> None:
        self.sketches = sketches
        self._each = tuple((name, sketch.observe) for name, sketch in sketches.items())

    def observe(self, features: Mapping[str, float]) -> None:
        """Count one row; a feature that it lacks is missing, one that nobody knows is passed over."""
        get = features.get
        for name, observe in self._each:
            observe(get(name))

    def merged(self, other: "FeatureSketches") -> "FeatureSketches":
        """What both have counted; raises `ValueError` for sketches of other features or bins."""
        if self.sketches.keys() != other.sketches.keys():
            raise ValueError("the sketches are of other features")
        return FeatureSketches({name: sketch.merged(other.sketches[name]) for name, sketch in self.sketches.items()})


class CategorySketch:
    """Counts of the categories that are known from the reference; all others together are one more."""

    __slots__ = ("_counts", "_known", "missing", "others")

    def __init__(self, known: Sequence[str], counts: Sequence[int] | None = None, others: int = 0, missing: int = 0):
        """Empty, or with what was counted before; raises `ValueError` when that is of other categories."""
        self._known = tuple(known)
        self._counts = dict(zip(self._known, counts or [0] * len(self._known), strict=True))
        self.others, self.missing = others, missing

    def observe(self, value: str | None) -> None:
        """Count one category; None is missing."""
        if value is None:
            self.missing += 1
        elif value in self._counts:
            self._counts[value] += 1
        else:
            self.others += 1

    @property
    def counts(self) -> Counts:
        """Values of each known category, and last of all others."""
        return np.array([*self._counts.values(), self.others], np.int64)

    @property
    def size(self) -> int:
        """How many values there are, without the missing ones."""
        return sum(self._counts.values()) + self.others

    def merged(self, other: "CategorySketch") -> "CategorySketch":
        """What both have counted; raises `ValueError` for one of other categories."""
        self._check(other)
        *counts, others = (self.counts + other.counts).tolist()
        return CategorySketch(self._known, counts, others, self.missing + other.missing)

    def psi(self, reference: "CategorySketch") -> float:
        """PSI against the reference; exact when that has no more than 64 categories."""
        self._check(reference)
        return psi(reference.counts, self.counts)

    def _check(self, other: "CategorySketch") -> None:
        if self._known != other._known:
            raise ValueError("the sketches have other categories: make both from the same reference")


def known_categories(reference: Counter[str]) -> tuple[str, ...]:
    """The categories that sketches tell apart: the most frequent of the reference, in the order of their names."""
    ordered = sorted(reference.items(), key=lambda item: (-item[1], item[0]))
    return tuple(sorted(name for name, _ in ordered[:CATEGORIES]))
