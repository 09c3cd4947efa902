"""How far one sketch of a column is from another, whatever each of them was made with. Pure."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from turnout_runtime.sketches.category import CategorySketch
from turnout_runtime.sketches.grid import GridSketch
from turnout_runtime.sketches.histogram import Histogram, ks_of
from turnout_runtime.sketches.measures import psi, psi_by_chance
from turnout_runtime.sketches.number import NumberSketch

Numeric: TypeAlias = NumberSketch | GridSketch
Sketch: TypeAlias = Numeric | CategorySketch


@dataclass(frozen=True, slots=True)
class Distance:
    """PSI, what it would stay below in 95 of 100 windows of these sizes by chance, and bounds of KS (None: categories).

    NaN where one of both has no values.
    """

    psi: float
    by_chance: float
    ks: tuple[float, float] | None = None


def distance(reference: Sketch, current: Sketch) -> Distance | None:
    """How far the current one is from the reference; None when one of them is of numbers, the other of categories."""
    if isinstance(reference, CategorySketch) or isinstance(current, CategorySketch):
        if not (isinstance(reference, CategorySketch) and isinstance(current, CategorySketch)):
            return None
        names = {name for one in (reference, current) for name, count in one.counts.items() if count}
        used = len(names) + bool(reference.others + current.others)
        return Distance(current.psi(reference), psi_by_chance(used, reference.size, current.size))
    n, m = reference.size, current.size
    if not n or not m:
        return Distance(math.nan, math.inf, (math.nan, math.nan))
    if isinstance(reference, NumberSketch) and isinstance(current, NumberSketch) and reference.bins == current.bins:
        bins = reference.bins  # as it mostly is, and a tenth of the work
        old, new, ks = bins.grouped(reference.counts), bins.grouped(current.counts), current.ks(reference)
    else:
        before, now = _histograms(reference, current)
        old, new, ks = before.grouped(before.coarse), now.grouped(before.coarse), ks_of(before, now)
    return Distance(psi(old, new), psi_by_chance(int(np.count_nonzero(old + new)), n, m), ks)


def _histograms(
    reference: NumberSketch | GridSketch, current: NumberSketch | GridSketch
) -> tuple[Histogram, Histogram]:
    """Both; those of grids as cells of the same level, so that edges of one are not inside of a cell of the other."""
    if isinstance(reference, GridSketch) and isinstance(current, GridSketch):
        level = max(reference.level, current.level)
        return reference.coarser(level).histogram(), current.coarser(level).histogram()
    return reference.histogram(), current.histogram()


def missing_rate(sketch: Sketch) -> float:
    """The share of rows without a value; NaN when there are no rows."""
    rows = rows_of(sketch)
    return sketch.missing / rows if rows else math.nan


def rows_of(sketch: Sketch) -> int:
    """How many rows it has seen."""
    return sketch.size + sketch.missing
