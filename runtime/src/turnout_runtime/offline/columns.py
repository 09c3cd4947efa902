"""How a table's columns become the values that JSON has, as SQL for DuckDB. Pure.

A workflow must not see whether a request came as JSON or from a table: numbers, strings, booleans, lists and objects,
nothing else. Times are RFC 3339 strings, decimals floats, NaN and infinity null, bytes base64.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from turnout_runtime.errors import BatchInvalid

RAW = "json"
"""The one column of a JSON Lines table: each line as it is."""

_NATIVE = re.compile(r"(U?(TINY|SMALL|BIG)INT|U?INTEGER|VARCHAR|BOOLEAN|FLOAT|DOUBLE)(\[\])*")
_NESTED = re.compile(r"JSON|(STRUCT|MAP|UNION)\(|.*\]$|VARIANT")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and its DuckDB type."""

    name: str
    type: str


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
        kind = next(column.type for column in self.all if column.name == name)
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_ns({quoted(name)})"
        if kind == "VARCHAR":
            return _parsed(quoted(name))
        return _seconds(f"TRY_CAST({quoted(name)} AS DOUBLE)")

    def json(self, name: str) -> str:
        """A column as JSON text: that of an object, in a column of strings as well as in a struct."""
        if self.raw:
            return f"CAST(json_extract({RAW}, {_path(name)}) AS VARCHAR)"
        kind = next(column.type for column in self.all if column.name == name)
        return quoted(name) if kind == "VARCHAR" else f"CAST(to_json({quoted(name)}) AS VARCHAR)"

    def values(self, without: Collection[str]) -> "Values":
        """All other columns."""
        if self.raw:
            return Values((), (RAW,), (), frozenset(without))
        rest = [column for column in self.all if column.name not in without]
        nested = tuple(index for index, column in enumerate(rest) if _is_nested(column.type))
        return Values(tuple(c.name for c in rest), tuple(map(_value, rest)), nested, frozenset())


@dataclass(frozen=True, slots=True)
class Values:
    """Columns that together are an object: names, SQL for each, positions that hold JSON text.

    Without names there is one column, whose text is the whole object but for the keys in `without`.
    """

    names: tuple[str, ...]
    sql: tuple[str, ...]
    nested: tuple[int, ...]
    without: frozenset[str]


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _extracted(name: str) -> str:
    return f"json_extract_string({RAW}, {_path(name)})"


def _path(name: str) -> str:
    return literal('$."' + name.replace('"', '\\"') + '"')


def _parsed(text: str) -> str:
    return f"coalesce(epoch_ns(TRY_CAST({text} AS TIMESTAMPTZ)), {_seconds(f'TRY_CAST({text} AS DOUBLE)')})"


def _seconds(number: str) -> str:
    """Whole microseconds: a double of today's seconds has no more."""
    return f"TRY_CAST(round({number} * 1e6) AS BIGINT) * 1000"


def _is_nested(kind: str) -> bool:
    return not _NATIVE.fullmatch(kind) and _NESTED.match(kind) is not None


def _value(column: Column) -> str:
    name, kind = quoted(column.name), column.type
    if kind in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN isfinite({name}) THEN {name} END"
    if _NATIVE.fullmatch(kind):
        return name
    if _is_nested(kind):
        return f"CAST(to_json({name}) AS VARCHAR)"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.startswith("TIMESTAMP"):
        return f"strftime(CAST({name} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f')"
    if kind.startswith("DECIMAL") or kind in ("HUGEINT", "UHUGEINT"):
        return f"CAST({name} AS DOUBLE)"
    return f"base64({name})" if kind == "BLOB" else f"CAST({name} AS VARCHAR)"
