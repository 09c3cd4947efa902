"""A histogram of a number over the bins of its reference."""

import math
from collections.abc import Sequence

import numpy as np

from turnout_runtime.sketches.bins import Bins
from turnout_runtime.sketches.histogram import Histogram
from turnout_runtime.sketches.measures import Counts, Numbers, psi


class NumberSketch:
    """Counts of a number in the bins of its reference: at most 181, whatever is seen.

    What is kept is how many values lie below each edge: of sorted values that is one search for the edges, which takes
    a fifth of the time of a search for the values.
    """

    __slots__ = ("_below", "bins", "missing", "size")

    def __init__(self, bins: Bins, counts: Sequence[int] | None = None, missing: int = 0) -> None:
        """Empty, or with what was counted before; raises `ValueError` when that has other bins."""
        self.bins, self.missing, self.size = bins, missing, 0
        if counts is None:
            self._below: Counts = np.zeros(len(bins.edges), np.int64)
            return
        if len(counts) != len(bins.edges) + 1:
            raise ValueError(f"{len(counts)} counts for {len(bins.edges) + 1} bins")
        below = np.cumsum(np.array(counts, np.int64))
        self._below, self.size = below[:-1], int(below[-1])
        """How many values there are, without the missing ones."""

    def observe(self, values: Numbers) -> None:
        """Count an array of values in any order; NaN and infinity are missing."""
        self.observe_sorted(np.sort(values))

    def observe_sorted(self, values: Numbers) -> None:
        """Count an array of values in increasing order, NaN last."""
        present = finite(values)
        self.missing += len(values) - len(present)
        self.size += len(present)
        self._below += present.searchsorted(self.bins.array)

    @property
    def counts(self) -> Counts:
        """Values in each bin."""
        return np.diff(self._below, prepend=0, append=self.size)

    def empty(self) -> "NumberSketch":
        """One of the same bins that has seen nothing."""
        return NumberSketch(self.bins)

    def merged(self, other: "NumberSketch") -> "NumberSketch":
        """What both have counted; raises `ValueError` for one with other bins."""
        self._check(other)
        found = NumberSketch(self.bins, None, self.missing + other.missing)
        found._below, found.size = self._below + other._below, self.size + other.size
        return found

    def psi(self, reference: "NumberSketch") -> float:
        """PSI against the reference: the same number as from the values themselves."""
        self._check(reference)
        return psi(self.bins.grouped(reference.counts), self.bins.grouped(self.counts))

    def ks(self, reference: "NumberSketch") -> tuple[float, float]:
        """Bounds of KS against the reference, apart by no more than the largest share of it in a bin of several values
        (about 1/50); values that float32 does not tell apart count as one. NaN when one of both is empty."""
        self._check(reference)
        if not self.size or not reference.size:
            return math.nan, math.nan
        f, g = (np.concatenate(([0.0], one._below / one.size, [1.0])) for one in (reference, self))
        low = float(np.abs(f - g).max())
        within = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])[~self.bins.single]
        return low, min(1.0, max(low, float(within.max(initial=0.0))))

    def histogram(self) -> Histogram:
        """The counts, to compare with those of other bins."""
        return Histogram(self.bins.array, self.counts, np.array(self.bins.coarse, np.float64))

    def _check(self, other: "NumberSketch") -> None:
        if self.bins is not other.bins and self.bins != other.bins:
            raise ValueError("the sketches have other bins: make both from the same reference")


def finite(values: Numbers) -> Numbers:
    """Those of sorted values that are neither NaN nor infinite."""
    if len(values) and values[0] > -math.inf and values[-1] < math.inf:
        return values
    return values[values.searchsorted(-math.inf, side="right") : values.searchsorted(math.inf)]
