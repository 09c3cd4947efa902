"""Two histograms of a number whose edges need not be the same: how far apart their values are. Pure.

What is known of the values is how many lie below each edge. Between two edges that is anything in between: so KS is
bounded from both sides, and PSI over bins that only one of both has goes by the straight line.
"""

from dataclasses import dataclass

import numpy as np

from turnout_runtime.sketches.bins import single
from turnout_runtime.sketches.measures import Counts, Numbers


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts` of the values in len(edges) + 1 bins [edge, next edge), the first and the last of them open.

    `coarse` are edges that PSI is compared at where this is the reference.
    """

    edges: Numbers
    counts: Counts
    coarse: Numbers

    @property
    def size(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    def known(self, at: Numbers) -> tuple[Numbers, Numbers]:
        """The least and the greatest share of values that may lie below each of some points (of 1)."""
        below = np.concatenate(([0], np.cumsum(self.counts))) / self.size
        found = np.searchsorted(self.edges, at)
        exact = np.zeros(len(at), np.bool_)
        inside = found < len(self.edges)
        exact[inside] = self.edges[found[inside]] == at[inside]
        return below[found + exact], below[found + 1]

    def likely(self, at: Numbers) -> Numbers:
        """The share of values below each of some points, by straight lines; in an open bin half of what is there."""
        low, high = self.known(at)
        if not len(self.edges):
            return (low + high) / 2
        place = np.clip(np.searchsorted(self.edges, at), 1, len(self.edges) - 1)
        left, right = self.edges[place - 1], self.edges[place]
        outside = (at < self.edges[0]) | (at > self.edges[-1])
        share = np.where(outside, 0.5, (at - left) / np.where(right > left, right - left, 1))
        return low + np.clip(share, 0, 1) * (high - low)

    def grouped(self, at: Numbers) -> Counts:
        """About how many values lie in the bins between some points."""
        return np.diff(np.rint(self.likely(at) * self.size), prepend=0, append=self.size).astype(np.int64)

    def quantile(self, share: float) -> float:
        """About the value below which that share of all lies; NaN where there are none, or it lies in an open bin."""
        if not self.size or len(self.edges) < 2:
            return float("nan")
        below = np.cumsum(self.counts) / self.size
        if not below[0] <= share <= below[-2]:
            return float("nan")
        return float(np.interp(share, below[:-1], self.edges))


def ks_of(reference: Histogram, current: Histogram) -> tuple[float, float]:
    """Bounds of KS: the values are no closer than the one, and no farther apart than the other. NaN when one is empty.

    A stretch between edges that holds one float32 is a step of both, and so leaves nothing open.
    """
    if not reference.size or not current.size:
        return float("nan"), float("nan")
    at = np.union1d(reference.edges, current.edges)
    (f_low, f_high), (g_low, g_high) = reference.known(at), current.known(at)
    low = float(np.maximum(f_low - g_high, g_low - f_high).max(initial=0.0))
    f_from, g_from = np.append(0.0, f_low), np.append(0.0, g_low)
    f_to, g_to = np.append(f_high, 1.0), np.append(g_high, 1.0)
    within = np.maximum(f_to - g_from, g_to - f_from)
    within[1:-1][single(at)] = 0.0
    points = np.maximum(f_high - g_low, g_high - f_low)
    return low, min(1.0, max(low, float(points.max(initial=0.0)), float(within.max(initial=0.0))))
