"""Rows of features as they come, packed: what a request pays for the sketches, until a block of them is counted."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from struct import Struct, error
from typing import Any

import numpy as np

from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.sketches.measures import Numbers

FEATURES = 64
"""The most features that are counted, the first ones: of more columns nobody reads the metrics."""

_FLOAT32 = np.dtype(np.float32)
_ODD = (error, AttributeError, KeyError, TypeError, ValueError, OverflowError)


class Rows:
    """Packs the numbers of rows, and keeps the texts of those features that are categories."""

    def __init__(self, names: Sequence[str], categories: Sequence[str] = (), row: Sequence[str] = ()) -> None:
        """`names` of numbers and `categories` in the order of the columns; `row` are the names of a model's row."""
        self.names, self.categories = tuple(names), tuple(categories)
        self.texts: tuple[list[str | None], ...] = tuple([] for _ in categories)
        self._doubles: list[bytes] = []
        self._floats: list[bytes] = []
        self._pack = Struct(f"{len(self.names)}d").pack
        self._pick = picker(self.names)
        self._whole = self.names == tuple(row)
        self._leading = self.names == tuple(row)[: len(self.names)]

    def add(self, prediction: Prediction) -> None:
        """Take the features of one that has some; as they went to the model, where they did."""
        row: Any = prediction.row
        if row is None or not self._whole:
            self._select(prediction.features or {}, row)
            return
        try:
            if type(row) is list:
                self._doubles.append(self._pack(*row))
            elif row.dtype is _FLOAT32:
                self._floats.append(row.tobytes())
            else:
                self._doubles.append(self._pack(*row))
        except _ODD:
            self._select(prediction.features or {}, None)

    def _select(self, features: Mapping[str, Any], row: Any) -> None:
        """Take the columns out of a row that has others, too, or of the features by name."""
        try:
            values = self._pick(features) if row is None or not self._leading else row[: len(self.names)]
            self._doubles.append(self._pack(*values))
        except _ODD:  # odd things, or too few of them
            self._doubles.append(self._pack(*(number(features.get(name)) for name in self.names)))
        if self.categories:
            for name, texts in zip(self.categories, self.texts, strict=True):
                value = features.get(name)
                texts.append(value if isinstance(value, str) else None)

    def columns(self) -> Numbers:
        """[names, rows] float64, each column in increasing order: sorting all at once takes less than counting them."""
        if not self.names:
            return np.empty((0, 0))
        doubles = np.frombuffer(b"".join(self._doubles), np.float64)
        floats = np.frombuffer(b"".join(self._floats), np.float32)
        found = np.concatenate((doubles, floats), dtype=np.float64).reshape(-1, len(self.names)).T.copy()
        found.sort(axis=1)
        return found

    def clear(self) -> None:
        """Begin a new block."""
        self._doubles.clear()
        self._floats.clear()
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
