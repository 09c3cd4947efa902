"""The log's fields as columns: numbers, categories, and what is missing."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from turnout_runtime.evaluation.records import Record
from turnout_runtime.sketches.measures import Numbers

DISTINCT = 10_000
"""A text with more values than this is a name of something, and no category; so is one of which most values are new."""
_FEW = 64  # texts that are categories in any case


@dataclass(slots=True)
class Column:
    """One field of the `rows` records that reached it; numbers and text are kept apart, lists and objects are not kept.

    `overflown` says that it had too many texts to keep.
    """

    rows: int = 0
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    categories: Counter[str] = field(default_factory=Counter)
    overflown: bool = False

    def add(self, value: Any) -> None:
        """Take one record's value; None is missing."""
        kind = type(value)
        if kind is float or kind is int:
            self.numbers.append(value)
        elif (kind is str or kind is bool) and not self.overflown:
            self.categories[value if kind is str else str(value).lower()] += 1
            if len(self.categories) > DISTINCT:
                self.overflown = True
                self.categories.clear()

    @property
    def is_name(self) -> bool:
        """Whether its texts are no categories."""
        distinct = len(self.categories)
        return self.overflown or (distinct > _FEW and 2 * distinct > self.categories.total())

    @property
    def numeric(self) -> bool:
        """Whether most values are numbers; values of the other kind then count as missing."""
        return len(self.numbers) > self.categories.total()

    def values(self) -> Numbers:
        """The finite numbers, sorted."""
        found = np.frombuffer(self.numbers, np.float64) if self.numbers else np.empty(0)
        return np.sort(found[np.isfinite(found)])


Columns = dict[str, Column]


def columns(records: Iterable[Record]) -> Columns:
    """`score`, `decision`, and each field of `features` and `context`, such as `features.wind`.

    A column counts the records that got as far: a feature those that have features, a field of the context those that
    have a context. A truth is a category, but of a feature 0 or 1, as it is to a model.
    """
    return grouped(records, None).get(None, {})


def grouped(records: Iterable[Record], by: str | None) -> dict[str | None, Columns]:
    """The columns of each value of a field, in order; without a field those of all records, under None."""
    groups: dict[str | None, _Collector] = {}
    for record in records:
        name = None if by is None else f"{by} {record.get(by) or 'none'}"
        if name not in groups:
            groups[name] = _Collector()
        groups[name].take(record)
    return {name: found for name in sorted(groups, key=str) if (found := groups[name].columns())}


def sizes(found: Columns) -> int:
    """How many records there are: the most that any column has."""
    return max((column.rows for column in found.values()), default=0)


class _Collector:
    def __init__(self) -> None:
        self._columns: Columns = {}
        self._reached: Counter[str] = Counter()

    def take(self, record: Record) -> None:
        for group in ("features", "context"):
            if isinstance(values := record.get(group), Mapping):
                self._reached[group] += 1
                for name, value in values.items():
                    truth = group == "features" and isinstance(value, bool)
                    self._add(f"{group}.{name}", float(value) if truth else value)
        for name in ("score", "decision"):
            if (value := record.get(name)) is not None:
                self._reached[name] += 1
                self._add(name, value)

    def columns(self) -> Columns:
        for name, column in self._columns.items():
            column.rows = self._reached[name.partition(".")[0]]
        return self._columns

    def _add(self, name: str, value: Any) -> None:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column()
        column.add(value)
