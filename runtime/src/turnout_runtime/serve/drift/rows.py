"""Rows of features as they come, packed: what a request pays for the sketches, until a block of them is counted.

Without numpy, whose functions cost more than a row does.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from struct import Struct, error
from typing import Any

from turnout_runtime.workflow.features import Row

FEATURES = 64
"""The most features that are counted, the first ones: of more columns nobody reads the metrics."""


class Rows:
    """Packs the numbers of rows, and keeps the texts of those features that are categories."""

    def __init__(self, names: Sequence[str], categories: Sequence[str] = (), row: Sequence[str] = ()) -> None:
        """`names` of numbers and `categories` in the order of the columns; `row` are the names of a model's row."""
        self.names, self.categories = tuple(names), tuple(categories)
        self.doubles: list[bytes] = []
        self.floats: list[bytes] = []
        self.texts: tuple[list[str | None], ...] = tuple([] for _ in categories)
        self._pack = Struct(f"{len(self.names)}d").pack
        self._pick = picker(self.names)
        self._whole = self.names == tuple(row)
        self._leading = self.names == tuple(row)[: len(self.names)]

    def add(self, features: Mapping[str, Any], row: "Row | None") -> None:
        """Take one row: its features by name and, where it went to a model, as it went there."""
        try:
            if row is None or not self._leading:
                self.doubles.append(self._pack(*self._pick(features)))
            elif type(row) is list:
                self.doubles.append(self._pack(*(row if self._whole else row[: len(self.names)])))
            elif row.dtype.char == "f":  # type: ignore[union-attr]  # an array, else it has no such attribute
                self.floats.append((row if self._whole else row[: len(self.names)]).tobytes())  # type: ignore[union-attr]
            else:
                self.doubles.append(self._pack(*row[: len(self.names)]))
        except (
            error,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
        ):  # odd things, or too few of them
            self.doubles.append(self._pack(*(number(features.get(name)) for name in self.names)))
        for name, texts in zip(self.categories, self.texts, strict=True):
            value = features.get(name)
            texts.append(value if isinstance(value, str) else None)

    def clear(self) -> None:
        """Begin a new block."""
        self.doubles.clear()
        self.floats.clear()
        for texts in self.texts:
            texts.clear()


def number(value: Any) -> float:
    """A number as a double; NaN for what is none."""
    if value is None or isinstance(value, str | bytes):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Gives the values of all names, in order; raises `KeyError` where one is missing."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda features: tuple(features[name] for name in names)
