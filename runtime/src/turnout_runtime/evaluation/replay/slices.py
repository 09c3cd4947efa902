"""Where among the requests something changed: by arm, by logged decision, by the context's fields."""

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from turnout_runtime.evaluation.records import Record
from turnout_runtime.sketches.measures import Counts, Numbers

_DISTINCT = 1000  # a text with more values is a name of something
_LEAST = 20  # records of a slice that is worth telling
_QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Slice:
    """Records of one kind: how many, the share whose decision changed, the mean change of the score.

    `surprise` is how far the slice is from the others, in standard errors.
    """

    name: str
    records: int
    disagreement: float
    shift: float
    surprise: float


@dataclass(slots=True)
class _Field:
    """A field's value in each record that has it: texts, or numbers."""

    index: "array[int]" = field(default_factory=lambda: array("q"))
    texts: list[str] = field(default_factory=list)
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    seen: dict[str, str] = field(default_factory=dict)
    is_name: bool = False


class Slices:
    """Collects records, and finds the slices that differ most from the rest."""

    def __init__(self) -> None:
        self._changed, self._shift = array("b"), array("d")
        self._fields: dict[str, _Field] = {}

    def add(self, logged: Record, agrees: bool, shift: float) -> None:
        """Take a record, whether its decision is the same now, and by how much its score is larger."""
        index = len(self._changed)
        self._changed.append(not agrees)
        self._shift.append(shift)
        for name in ("arm", "decision"):
            self._value(index, name, logged.get(name))
        context = logged.get("context")
        if isinstance(context, Mapping):
            for name, value in context.items():
                self._value(index, f"context.{name}", value)

    def found(self, top: int) -> list[Slice]:
        """The `top` slices that differ most, as long as it is by more than chance explains (3 standard errors)."""
        if not len(self._changed):
            return []
        changed, shift = np.frombuffer(self._changed, np.int8), np.frombuffer(self._shift, np.float64)
        rate, mean = float(changed.mean()), float(shift.mean())
        means, spreads = (rate, mean), (math.sqrt(rate * (1 - rate)), float(shift.std()))
        slices = []
        for name, rows in self._slices():
            if _LEAST <= len(rows) < len(changed):
                own = float(changed[rows].mean()), float(shift[rows].mean())
                root = math.sqrt(len(rows))
                errors = [abs(x - y) * root / s if s else 0.0 for x, y, s in zip(own, means, spreads, strict=True)]
                slices.append(Slice(name, len(rows), *own, max(errors)))
        slices.sort(key=lambda slice: (-slice.surprise, slice.name))
        return [slice for slice in slices[:top] if slice.surprise > 3]

    def _value(self, index: int, name: str, value: Any) -> None:
        kept = self._fields.get(name)
        if kept is None:
            kept = self._fields[name] = _Field()
        kind = type(value)
        if kept.is_name or not (kind is str or kind is bool or kind is int or kind is float):
            return
        if kind is str or kind is bool:
            text = value if kind is str else str(value).lower()
            kept.texts.append(kept.seen.setdefault(text, text))
            kept.is_name = len(kept.seen) > _DISTINCT
        else:
            kept.numbers.append(value)
        if len(kept.texts) and len(kept.numbers):
            kept.is_name = True  # of two kinds: nothing to sort by
        if kept.is_name:
            kept.texts.clear()
            kept.seen.clear()
        else:
            kept.index.append(index)

    def _slices(self) -> Iterator[tuple[str, Counts]]:
        for name, kept in self._fields.items():
            if kept.is_name:
                continue
            index = np.frombuffer(kept.index, np.int64) if kept.index else np.empty(0, np.int64)
            if kept.texts:
                values = np.array(kept.texts)
                for text in kept.seen:
                    yield f"{name}={text}", index[values == text]
            elif kept.numbers:
                yield from _quarters(name, index, np.frombuffer(kept.numbers, np.float64))


def _quarters(
    name: str,
    index: Counts,
    numbers: Numbers,
) -> Iterator[tuple[str, Counts]]:
    """Four slices of equal size, as far as equal numbers allow."""
    edges = np.unique(np.quantile(numbers, _QUARTERS, method="inverted_cdf"))
    place = np.searchsorted(edges, numbers)  # (…, edge]
    for number in range(len(edges) + 1):
        low = f"{edges[number - 1]:.6g} < " if number else ""
        high = f" <= {edges[number]:.6g}" if number < len(edges) else ""
        yield f"{low}{name}{high}", index[place == number]
