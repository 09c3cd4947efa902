"""Two windows of the log, column by column. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from turnout_runtime.evaluation.drift.columns import Column, Columns
from turnout_runtime.sketches.bins import quantile_bins
from turnout_runtime.sketches.category import CategorySketch, known_categories
from turnout_runtime.sketches.compare import distance
from turnout_runtime.sketches.measures import Numbers, ks, ks_p_value, psi, psi_by_chance

Verdict = Literal["moved", "shifted", "stable", "too small"]
VERDICTS: tuple[Verdict, ...] = ("moved", "shifted", "too small", "stable")
SHIFTED, MOVED = 0.1, 0.25
"""PSI from which a column has shifted, or moved: Siddiqi's (2006) two limits."""
_MISSING_SHIFTED, _MISSING_MOVED = 0.05, 0.15  # the same of the difference of the rates of missing values
_ERRORS = 3.0  # standard errors that a difference of missing rates must exceed


@dataclass(frozen=True, slots=True)
class Shift:
    """How a column of the current window differs from the reference's; pairs are (reference, current).

    `by_chance` is what PSI would stay below in 95 of 100 windows of these sizes if nothing had moved. Numbers have
    medians and KS with its p-value, categories the share of values that the reference does not have; the rest is None.
    """

    name: str
    kind: Literal["number", "category"]
    rows: tuple[int, int]
    missing: tuple[float, float]
    psi: float
    by_chance: float
    ks: float | None = None
    p_value: float | None = None
    medians: tuple[float, float] | None = None
    unseen: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What it amounts to, by its values or by those that are missing, whichever moved more.

        Too small is a window in which chance alone may reach what counts as shifted.
        """
        found = self._values(), self._missing()
        return min((one for one in found if one is not None), key=VERDICTS.index)

    def _values(self) -> Verdict:
        if self.psi > self.by_chance and self.psi >= SHIFTED:
            return "moved" if self.psi >= MOVED else "shifted"
        return "too small" if self.by_chance > SHIFTED else "stable"

    def _missing(self) -> Verdict | None:
        (n, m), (before, now) = self.rows, self.missing
        difference = abs(now - before)
        if not n or not m or difference < _MISSING_SHIFTED:
            return None
        rate = (n * before + m * now) / (n + m)
        if difference <= _ERRORS * math.sqrt(rate * (1 - rate) * (1 / n + 1 / m)):
            return None
        return "moved" if difference >= _MISSING_MOVED else "shifted"


def compare(reference: Columns, current: Columns) -> list[Shift]:
    """All columns that both windows have, those that moved most first; names of things are left out."""
    shared = (name for name in current if name in reference)
    return ordered(shift for name in shared if (shift := _shift(name, reference[name], current[name])) is not None)


def ordered(found: Iterable[Shift]) -> list[Shift]:
    """Those that moved most first."""
    return sorted(found, key=lambda shift: (VERDICTS.index(shift.verdict), -_size(shift.psi), shift.name))


def _shift(name: str, reference: Column, current: Column) -> Shift | None:
    if reference.numeric or (current.numeric and not reference.categories):
        return _numbers(name, reference, current)
    if reference.is_name or current.is_name or not reference.categories:
        return None
    return _categories(name, reference, current)


def _numbers(name: str, reference: Column, current: Column) -> Shift:
    before, now = reference.values(), current.values()
    bins = quantile_bins(before)
    n, m = len(before), len(now)
    old, new = bins.grouped(bins.count(before)), bins.grouped(bins.count(now))
    used = int(np.count_nonzero(old + new))
    statistic, medians = ks(before, now), (_median(before), _median(now))
    return Shift(
        name, "number", (reference.rows, current.rows), (_rate(reference.rows, n), _rate(current.rows, m)),
        psi(old, new), psi_by_chance(used, n, m), statistic, ks_p_value(statistic, n, m), medians,
    )  # fmt: skip


def _categories(name: str, reference: Column, current: Column) -> Shift:
    known = known_categories(reference.categories)
    before, now = CategorySketch(known, reference.categories), CategorySketch(known, current.categories)
    n, m, found = before.size, now.size, distance(before, now)
    assert found is not None
    unseen = sum(count for value, count in current.categories.items() if value not in reference.categories)
    return Shift(
        name, "category", (reference.rows, current.rows), (_rate(reference.rows, n), _rate(current.rows, m)),
        found.psi, found.by_chance, unseen=unseen / m if m else math.nan,
    )  # fmt: skip


def _rate(rows: int, present: int) -> float:
    return 1 - present / rows if rows else math.nan


def _median(values: Numbers) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _size(value: float) -> float:
    return 0.0 if math.isnan(value) else value
