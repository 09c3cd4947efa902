"""Between rows of numbers and the tensors that a model's file declares: what ONNX and Triton have in common."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models.tables import Reader, reader
from turnout_runtime.workflow.features import Row

if TYPE_CHECKING:
    import numpy.typing as npt

_FLOATS = "efd"  # numpy's half, single and double: a list of them is one of Python's floats


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor that a model takes: `shape` with its rows' dimension first, None for a dimension that it leaves open."""

    name: str
    dtype: "npt.DTypeLike"
    shape: tuple[int | None, ...]

    @property
    def item(self) -> tuple[int | None, ...]:
        """One row's part of it."""
        return self.shape[1:]


@dataclass(frozen=True)
class Layout:
    """How a batch of rows becomes a model's inputs: their columns in the order of the inputs, reshaped as declared.

    `width` is the length of a row, None where the model leaves it open. `rows` is the number of rows that the model
    always takes, None where it takes any.
    """

    inputs: tuple[Input, ...]
    width: int | None
    rows: int | None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The features' names, where each has an input of its own."""
        return tuple(each.name for each in self.inputs) if 1 < len(self.inputs) == self.width else None

    def arrays(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The inputs by name; raises `ValueError` for rows that do not fit.

        Where the model takes a fixed number of rows the last one is repeated; drop what it answers to that.
        """
        if self.rows is not None and len(rows) < self.rows:
            rows = [*rows, *[rows[-1]] * (self.rows - len(rows))]
        table = self._read(rows)
        if self._plain:
            return {self.inputs[0].name: table}
        result, start = {}, 0
        for each in self.inputs:
            end = start + math.prod(size or 1 for size in each.item)
            result[each.name] = _tensor(each, table if len(self.inputs) == 1 else table[:, start:end])
            start = end
        return result

    @cached_property
    def _read(self) -> Reader:
        """Numbers that are to become integers, or of several types, are read as wide ones first."""
        first = np.dtype(self.inputs[0].dtype)
        return reader(self.width, first if len(self.inputs) == 1 and first.kind == "f" else np.float64)

    @cached_property
    def _plain(self) -> bool:
        """Whether the table as it is read is the only input."""
        first = self.inputs[0]
        return len(self.inputs) == 1 and len(first.shape) == 2 and np.dtype(first.dtype).kind == "f"


def _tensor(each: Input, table: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    if table.dtype != each.dtype:
        table = _cast(each, table)
    return np.ascontiguousarray(table).reshape(len(table), *(-1 if size is None else size for size in each.item))


def layout(field: str, inputs: Sequence[Input]) -> Layout:
    """Work out a model's layout; raises `BundleInvalid` that names `field` and says what does not fit."""
    have = ", ".join(f"{each.name}: {each.dtype} {list(each.shape)}" for each in inputs)
    if not inputs or any(not each.shape for each in inputs):
        raise BundleInvalid(f"{field}: needs inputs of numbers with a dimension for rows; it has {have or 'no inputs'}")
    sizes = {each.shape[0] for each in inputs}
    if len(sizes) > 1:
        raise BundleInvalid(f"{field}: its inputs disagree about the number of rows: {have}")
    single = len(inputs) == 1
    if single and len(inputs[0].shape) == 1 and inputs[0].shape[0] is not None:
        raise BundleInvalid(f"{field}: its input is one row, without a dimension for rows: {have}")
    open_ones = sum(size is None for each in inputs for size in each.item)
    if open_ones > (1 if single else 0):
        raise BundleInvalid(f"{field}: its inputs leave open how long a row is: {have}; export it with fixed shapes")
    width = None if open_ones else sum(math.prod(size or 1 for size in each.item) for each in inputs)
    return Layout(tuple(inputs), width, sizes.pop())


def _cast(each: Input, table: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    if np.issubdtype(each.dtype, np.floating):
        return table.astype(each.dtype)
    if not np.array_equal(table, np.rint(table)):  # NaN is unequal to itself
        raise ValueError(f"input {each.name!r} takes whole numbers")
    return table.astype(each.dtype)


def scores(output: str, table: "npt.NDArray[Any]") -> list[float]:
    """A score a row: the only column, or the last of two (the positive class); raises `ValueError` for more."""
    if table.ndim > 1:
        table = table.reshape(len(table), -1)
        if table.shape[1] not in (1, 2):
            raise ValueError(
                f"output {output!r} has {table.shape[1]} columns a row; a score is one column, or two classes"
            )
        table = table[:, -1]
    if table.dtype.char not in _FLOATS:
        table = table.astype(np.float64)
    numbers: list[float] = table.tolist()
    return numbers


def choose_output(field: str, outputs: Mapping[str, bool], wanted: str | None) -> str:
    """Name of the output with the score, of `outputs` by name with whether they are numbers with a fraction.

    The wanted one, else `probabilities`, else the only one of numbers with a fraction; else raises `BundleInvalid`.
    """
    if wanted is not None:
        if wanted in outputs:
            return wanted
        raise BundleInvalid(f"{field}.output: no output {wanted!r}; it has {', '.join(outputs)}")
    fractions = [name for name, fraction in outputs.items() if fraction]
    if "probabilities" in fractions:
        return "probabilities"
    if len(fractions) == 1:
        return fractions[0]
    raise BundleInvalid(
        f"{field}: needs an output 'probabilities' or a single float output, or say which by {field}.output;"
        f" it has {', '.join(outputs)} (export classifiers with zipmap off)"
    )
