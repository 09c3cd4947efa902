"""How a table's columns become the values that JSON has, as SQL for DuckDB. Pure.

A workflow must not see whether a request came as JSON or from a table: numbers, strings, booleans, lists and objects,
nothing else (see `kinds`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from turnout_runtime.errors import BatchInvalid
from turnout_runtime.offline.kinds import Kind, value
from turnout_runtime.offline.sql import literal, quoted

RAW = "json"
"""The one column of a JSON Lines table: each line as it is."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and its DuckDB type."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table; `raw` for JSON Lines, whose columns are the keys of each line."""

    all: Sequence[Column]
    raw: bool = False

    def check(self, name: str, field: str, remedy: str) -> None:
        """Raise `BatchInvalid` naming the configuration's `field` when there is no such column."""
        names = [column.name for column in self.all]
        if not self.raw and name not in names:
            raise BatchInvalid(f"{field}: no column {name!r}; there are {', '.join(names)}: {remedy}")

    def text(self, name: str) -> str:
        """A column as a string, such as a key."""
        return _extracted(name) if self.raw else f"CAST({quoted(name)} AS VARCHAR)"

    def time(self, name: str) -> str:
        """A column as nanoseconds since 1970 (BIGINT), NULL for what is no time.

        Strings are RFC 3339, or seconds since 1970 as numbers are; a time without an offset is in UTC.
        """
        if self.raw:
            return _parsed(_extracted(name))
        kind = self._kind(name).text
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_ns({quoted(name)})"
        if kind == "VARCHAR":
            return _parsed(quoted(name))
        return _seconds(f"TRY_CAST({quoted(name)} AS DOUBLE)")

    def json(self, name: str) -> str:
        """A column as JSON text: that of an object, in a column of strings as well as in a struct."""
        if self.raw:
            return f"CAST(json_extract({RAW}, {_path(name)}) AS VARCHAR)"
        kind = self._kind(name)
        return value(quoted(name), kind) if kind.nested else f"CAST({quoted(name)} AS VARCHAR)"

    def values(self, without: Collection[str]) -> "Values":
        """All other columns."""
        if self.raw:
            return Values((), (RAW,), (), frozenset(without))
        rest = [column for column in self.all if column.name not in without]
        nested = tuple(index for index, column in enumerate(rest) if column.kind.nested)
        sql = tuple(value(quoted(column.name), column.kind) for column in rest)
        return Values(tuple(column.name for column in rest), sql, nested, frozenset())

    def _kind(self, name: str) -> Kind:
        return next(column.kind for column in self.all if column.name == name)


@dataclass(frozen=True, slots=True)
class Values:
    """Columns that together are an object: names, SQL for each, positions that hold JSON text.

    Without names there is one column, whose text is the whole object but for the keys in `without`.
    """

    names: tuple[str, ...]
    sql: tuple[str, ...]
    nested: tuple[int, ...]
    without: frozenset[str]


def _extracted(name: str) -> str:
    return f"json_extract_string({RAW}, {_path(name)})"


def _path(name: str) -> str:
    return literal('$."' + name.replace('"', '\\"') + '"')


def _parsed(text: str) -> str:
    return f"coalesce(epoch_ns(TRY_CAST({text} AS TIMESTAMPTZ)), {_seconds(f'TRY_CAST({text} AS DOUBLE)')})"


def _seconds(number: str) -> str:
    """Whole microseconds: a double of today's seconds has no more."""
    return f"TRY_CAST(round({number} * 1e6) AS BIGINT) * 1000"
