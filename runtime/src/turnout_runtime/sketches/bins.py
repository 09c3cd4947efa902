"""Bins of a feature, made from a reference: what sketches count in, and what PSI compares. Pure."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from turnout_runtime.sketches.measures import Counts, Numbers

FINE, COARSE = 50, 10
"""Equal shares of the reference that KS resolves, and that PSI compares."""

_LARGEST = np.float32(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Bins:
    """Bins [edge, next edge), the first and the last of them open; `coarse` are those of `edges` that PSI compares.

    Edges lie half a float32 step beside values of the reference. So a value falls into the same bin as the float32 that
    a workflow had, as the decimal number in the log, and as the double of a training table. A value that alone has the
    share of a bin has one of its own. There are at most 3 * (50 + 10) edges.
    """

    edges: tuple[float, ...]
    coarse: tuple[float, ...]

    def count(self, values: Numbers) -> Counts:
        """How many of the finite values fall into each bin: an array of len(edges) + 1."""
        index = np.searchsorted(np.array(self.edges), values, side="right")
        return np.bincount(index, minlength=len(self.edges) + 1).astype(np.int64)

    def grouped(self, counts: Counts) -> Counts:
        """Counts of the bins as counts of PSI's coarse bins."""
        return np.bincount(self._groups, weights=counts, minlength=len(self.coarse) + 1).astype(np.int64)

    @cached_property
    def _groups(self) -> Counts:
        inner = np.searchsorted(np.array(self.coarse), np.array(self.edges), side="right")
        return np.concatenate((np.zeros(1, np.int64), inner.astype(np.int64)))

    @cached_property
    def single(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Which bins hold one value only (as float32 tells values apart)."""
        edges = np.array(self.edges)
        found = np.zeros(len(edges) + 1, np.bool_)
        if len(edges) > 1:
            middle = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
            found[1:-1] = (_below(middle) == edges[:-1]) & (_above(middle) == edges[1:])
        return found


def quantile_bins(reference: Numbers) -> Bins:
    """Bins of equal shares of a reference: finite values in any order; none gives one bin."""
    values = np.sort(np.clip(reference, -_LARGEST, _LARGEST).astype(np.float32))
    coarse = _edges(values, COARSE)
    return Bins(tuple(np.union1d(coarse, _edges(values, FINE)).tolist()), tuple(coarse.tolist()))


def _edges(values: "np.ndarray[tuple[int], np.dtype[np.float32]]", bins: int) -> Numbers:
    """Edges of about `bins` equal shares of sorted values; all of them when there are no more than that."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= bins:
        return np.union1d(_below(distinct), _above(distinct))
    quantiles = values[np.arange(1, bins) * len(values) // bins]
    frequent = distinct[counts * bins >= len(values)]
    return np.unique(np.concatenate((_below(quantiles), _below(frequent), _above(frequent))))


def _below(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Numbers:
    """Halfway to the next smaller float32."""
    smaller = np.nextafter(values, -_LARGEST)
    return (values.astype(np.float64) + smaller.astype(np.float64)) / 2


def _above(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Numbers:
    """Halfway to the next larger float32."""
    larger = np.nextafter(values, _LARGEST)
    return (values.astype(np.float64) + larger.astype(np.float64)) / 2
