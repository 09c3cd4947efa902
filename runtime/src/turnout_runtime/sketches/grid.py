"""A histogram of a number that nothing is known of beforehand, over a grid that all such histograms share.

The grid's cells are the float32 numbers themselves, or 2, 4, 8, … that follow each other: 2 to the power of the
`level`. A sketch goes to the next level whenever more than `CELLS` cells hold values. So its level is the least at
which all that it has seen fits, whatever came first: merging is exact, associative and commutative, also of sketches
that different processes, pods or revisions have made.

A float32 of one binade (such as 8 to 16) has 2^(23 - level) cells: of values that spread over few binades a cell is
some hundredth, of a handful of values each has a cell of its own.
"""

import numpy as np
import numpy.typing as npt

from turnout_runtime.sketches.bins import COARSE, LARGEST, Flags, Floats, edges_of
from turnout_runtime.sketches.histogram import Histogram
from turnout_runtime.sketches.measures import Counts, Numbers
from turnout_runtime.sketches.number import finite

CELLS = 256
"""The most cells that hold values."""
LEVELS = 31
Cells = npt.NDArray[np.int64]
_SIGN = 0x7FFFFFFF
_NONE = np.empty(0, np.int64)
_LAST = 0x7F7FFFFF  # the number of the largest float32


class GridSketch:
    """Counts of a number in the cells of the grid that hold values; what exceeds float32 counts as its largest."""

    __slots__ = ("cells", "counts", "level", "missing")

    def __init__(self, level: int = 0, cells: Cells | None = None, counts: Counts | None = None, missing: int = 0):
        """Empty, or with what was counted before: `cells` of that level in increasing order, and a count of each."""
        self.level, self.missing = level, missing
        self.cells: Cells = _NONE if cells is None else cells
        self.counts: Counts = _NONE if counts is None else counts
        self._fit()

    def observe(self, values: Numbers) -> None:
        """Count an array of values in any order; NaN and infinity are missing."""
        self.observe_sorted(np.sort(values))

    def observe_sorted(self, values: Numbers) -> None:
        """Count an array of values in increasing order, NaN last."""
        present = finite(values)
        self.missing += len(values) - len(present)
        if len(present):
            cells = _cells(present) >> self.level
            ends = np.append(np.flatnonzero(cells[1:] != cells[:-1]), len(cells) - 1)
            counts = ends + 1
            counts[1:] -= counts[:-1].copy()
            self.cells, self.counts = _added(self.cells, self.counts, cells[ends], counts)
            self._fit()

    @property
    def size(self) -> int:
        """How many values there are, without the missing ones."""
        return int(self.counts.sum())

    def empty(self) -> "GridSketch":
        """One that has seen nothing."""
        return GridSketch()

    def merged(self, other: "GridSketch") -> "GridSketch":
        """What both have counted."""
        level = max(self.level, other.level)
        a, b = self.coarser(level), other.coarser(level)
        return GridSketch(level, *_added(a.cells, a.counts, b.cells, b.counts), a.missing + b.missing)

    def coarser(self, level: int) -> "GridSketch":
        """The same on a level that is not below its own."""
        if level == self.level:
            return self
        return GridSketch(level, *_coarser(self.cells, self.counts, level - self.level), self.missing)

    def histogram(self) -> Histogram:
        """The counts over the cells and the gaps between them; `coarse` are about ten equal shares."""
        beyond = (self.cells + 1) << self.level
        starts, ends = edges_of(_lowest(self.cells << self.level)), edges_of(_lowest(beyond))
        ends[beyond > _LAST] = 2 * float(LARGEST)
        edges = np.union1d(starts, ends)
        counts = np.zeros(len(edges) + 1, np.int64)
        counts[np.searchsorted(edges, starts) + 1] = self.counts
        return Histogram(edges, counts, _coarse(edges, counts))

    def _fit(self) -> None:
        while len(self.cells) > CELLS:
            self.level += 1
            self.cells, self.counts = _coarser(self.cells, self.counts, 1)


def _cells(values: Numbers) -> Cells:
    """The number of the float32 of each of some sorted values in the order of all float32; 0 and -0 are one."""
    if values[0] < -LARGEST or values[-1] > LARGEST:
        values = np.clip(values, -LARGEST, LARGEST)
    floats = values.astype(np.float32)
    numbers = floats.view(np.int32).astype(np.int64)
    positive = floats.searchsorted(0.0)
    numbers[:positive] = ~(numbers[:positive] & _SIGN)
    numbers[floats == 0] = 0
    return numbers


def _lowest(numbers: Cells) -> Floats:
    """The float32 of each number; what lies beyond all float32 is the last of them."""
    known = np.clip(numbers, ~_LAST, _LAST)
    bits = np.where(known >= 0, known, ~known | ~_SIGN)
    return bits.astype(np.uint32).view(np.float32)


def _added(cells: Cells, counts: Counts, others: Cells, more: Counts) -> tuple[Cells, Counts]:
    """The counts of both, in the order of the cells; each has a cell once."""
    places = cells.searchsorted(others)
    new = np.ones(len(others), np.bool_)
    inside = places < len(cells)
    new[inside] = cells[places[inside]] != others[inside]
    totals = counts.copy()
    known = ~new
    totals[places[known]] += more[known]
    at = places[new]
    if not len(at):
        return cells, totals
    at += np.arange(len(at))
    old = np.ones(len(cells) + len(at), np.bool_)
    old[at] = False
    return _woven(old, cells, others[new]), _woven(old, totals, more[new])


def _woven(old: Flags, these: Counts, those: Counts) -> Counts:
    """One array of these, where `old` says so, and those; `np.insert` takes twice the time."""
    found = np.empty(len(old), np.int64)
    found[old] = these
    found[~old] = those
    return found


def _coarser(cells: Cells, counts: Counts, levels: int) -> tuple[Cells, Counts]:
    """The same so many levels up."""
    above = cells >> levels
    starts = np.flatnonzero(np.diff(above, prepend=above[:1] - 1))
    return above[starts], np.add.reduceat(counts, starts) if len(starts) else counts


def _coarse(edges: Numbers, counts: Counts) -> Numbers:
    """Edges that cut the values into about ten equal shares, or into single cells where these hold more."""
    if np.count_nonzero(counts) <= COARSE:
        return edges
    below = np.cumsum(counts)[:-1]
    wanted = below[-1] * np.arange(1, COARSE) / COARSE
    ahead = np.searchsorted(below, wanted)
    nearer = wanted - below[ahead - 1] < below[ahead] - wanted
    frequent = np.flatnonzero(counts[1:-1] * COARSE >= below[-1])
    chosen: Numbers = edges[np.unique(np.concatenate((ahead - nearer, frequent, frequent + 1)))]
    return chosen
