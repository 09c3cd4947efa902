"""Bins of a number, made from a reference: what sketches count in, and what PSI compares. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from turnout_runtime.sketches.measures import Counts, Numbers

FINE, COARSE = 50, 10
"""Equal shares of the reference that KS resolves, and that PSI compares."""

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
LARGEST = np.float32(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Bins:
    """Bins [edge, next edge), the first and the last of them open; `coarse` are those of `edges` that PSI compares.

    Edges lie half a float32 step below a float32. So a value falls into the same bin as the float32 that a workflow
    had, as the decimal number in the log, and as the double of a training table. A value that alone has the share of a
    bin has one of its own. There are at most 3 * (50 + 10) edges.
    """

    edges: tuple[float, ...]
    coarse: tuple[float, ...]

    def count(self, values: Numbers) -> Counts:
        """How many of the finite values fall into each bin: an array of len(edges) + 1."""
        return np.diff(np.sort(values).searchsorted(self.array), prepend=0, append=len(values))

    def grouped(self, counts: Counts) -> Counts:
        """Counts of the bins as counts of PSI's coarse bins."""
        return np.bincount(self._groups, weights=counts, minlength=len(self.coarse) + 1).astype(np.int64)

    @cached_property
    def array(self) -> Numbers:
        """The edges."""
        return np.array(self.edges, np.float64)

    @cached_property
    def lowest(self) -> list[float]:
        """The lowest float32 of each bin but the first, in its shortest decimal form: what `bins_of` needs."""
        nearest = self.array.astype(np.float32)
        above = np.where(nearest.astype(np.float64) >= self.array, nearest, np.nextafter(nearest, LARGEST))
        return [float(str(value)) for value in above]

    @cached_property
    def _groups(self) -> Counts:
        inner = np.searchsorted(np.array(self.coarse), self.array, side="right")
        return np.concatenate((np.zeros(1, np.int64), inner.astype(np.int64)))

    @cached_property
    def single(self) -> Flags:
        """Which bins hold one value only (as float32 tells values apart), the outermost of float32 among them."""
        ends = np.array([-LARGEST, LARGEST], np.float32)
        first, last = _above(ends[:1]) == self.array[:1], _below(ends[1:]) == self.array[-1:]
        return np.concatenate((first, single(self.array), last)) if self.edges else np.array([False])


def single(edges: Numbers) -> Flags:
    """Which of the stretches between edges hold one float32 only: an array of len(edges) - 1, none for one edge."""
    middle = np.clip((edges[:-1] + edges[1:]) / 2, -LARGEST, LARGEST).astype(np.float32)
    found: Flags = (_below(middle) == edges[:-1]) & (_above(middle) == edges[1:])
    return found


def quantile_bins(reference: Numbers) -> Bins:
    """Bins of equal shares of a reference: finite values in any order; none gives one bin."""
    values = np.sort(np.clip(reference, -LARGEST, LARGEST).astype(np.float32))
    coarse = _edges(values, COARSE)
    return Bins(tuple(np.union1d(coarse, _edges(values, FINE)).tolist()), tuple(coarse.tolist()))


def bins_of(lowest: Sequence[float], coarse: Sequence[int]) -> Bins:
    """Bins by their lowest float32, and the places of the coarse edges among theirs; raises `ValueError`."""
    edges = edges_of(np.array(lowest, np.float32))
    if (np.diff(edges) <= 0).any() or not np.isfinite(edges).all():
        raise ValueError("edges must be finite, and increase")
    if any(not 0 <= place < len(edges) for place in coarse) or list(coarse) != sorted(set(coarse)):
        raise ValueError("coarse must be places of edges, in increasing order")
    return Bins(tuple(edges.tolist()), tuple(edges[list(coarse)].tolist()))


def edges_of(lowest: Floats) -> Numbers:
    """The edges below these floats."""
    return _below(lowest)


def _edges(values: Floats, bins: int) -> Numbers:
    """Edges of about `bins` equal shares of sorted values; all of them when there are no more than that."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= bins:
        return _known(_below(distinct), _above(distinct))
    quantiles = values[np.arange(1, bins) * len(values) // bins]
    frequent = distinct[counts * bins >= len(values)]
    return _known(_below(quantiles), _below(frequent), _above(frequent))


def _known(*edges: Numbers) -> Numbers:
    """All of them, in order; there is nothing above the largest float32."""
    found = np.unique(np.concatenate(edges))
    return found[found < LARGEST]


def _below(values: Floats) -> Numbers:
    """Halfway to the next smaller float32."""
    smaller = np.nextafter(values, -LARGEST)
    return (values.astype(np.float64) + smaller.astype(np.float64)) / 2


def _above(values: Floats) -> Numbers:
    """Halfway to the next larger float32."""
    larger = np.nextafter(values, LARGEST)
    return (values.astype(np.float64) + larger.astype(np.float64)) / 2
