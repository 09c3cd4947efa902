"""DuckDB's types, and SQL for what JSON has in their place. Pure.

Numbers, strings and booleans stay. Times become RFC 3339 strings, decimals floats, NaN and infinity null, bytes base64,
at any depth of lists, structs and maps.
"""

import re
from dataclasses import dataclass
from typing import Any

from turnout_runtime.offline.sql import literal, quoted, rfc3339

_NATIVE = re.compile(r"U?(?:TINY|SMALL|BIG)INT|U?INTEGER|VARCHAR|BOOLEAN|JSON")
_LISTS, _OPAQUE = ("list", "array"), ("union", "variant")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type as DuckDB writes it; `form` is list, array, struct or map for what has `parts`, by name."""

    text: str
    form: str = ""
    parts: tuple[tuple[str, "Kind"], ...] = ()

    @property
    def nested(self) -> bool:
        """Whether it comes out of DuckDB as JSON text."""
        return bool(self.parts) or self.form in _OPAQUE or self.text == "JSON"

    @property
    def unchanged(self) -> bool:
        """Whether JSON has all of it as it is."""
        if self.parts:
            return all(part.unchanged for _, part in self.parts)
        return self.form in _OPAQUE or _NATIVE.fullmatch(self.text) is not None


def kind_of(found: Any) -> Kind:
    """What a `DuckDBPyType` says of itself, which processes can send each other."""
    form = found.id
    if form not in (*_LISTS, "struct", "map"):
        return Kind(str(found), form)
    return Kind(str(found), form, tuple((name, kind_of(part)) for name, part in found.children if name != "size"))


def value(sql: str, kind: Kind) -> str:
    """SQL for a column: JSON text where it is nested, else a value that Python takes over."""
    return f"CAST(to_json({_plain(sql, kind)}) AS VARCHAR)" if kind.nested else _plain(sql, kind)


def _plain(sql: str, kind: Kind, depth: int = 0) -> str:
    if kind.unchanged:
        return sql
    parts = dict(kind.parts)
    each = f"x{depth}"
    match kind.form:
        case "list" | "array":
            return f"list_transform({sql}, lambda {each}: {_plain(each, parts['child'], depth + 1)})"
        case "struct":
            return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({_fields(sql, parts, depth)}) END"
        case "map":
            inner = _plain(f"{each}.value", parts["value"], depth + 1)
            pair = f"struct_pack(k := CAST({each}.key AS VARCHAR), v := {inner})"
            return f"map_from_entries(list_transform(map_entries({sql}), lambda {each}: {pair}))"
    return _scalar(sql, kind.text)


def _fields(sql: str, parts: dict[str, Kind], depth: int) -> str:
    found = {name: _plain(f"struct_extract({sql}, {literal(name)})", part, depth) for name, part in parts.items()}
    return ", ".join(f"{quoted(name)} := {inner}" for name, inner in found.items())


def _scalar(sql: str, text: str) -> str:
    if text in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN isfinite({sql}) THEN {sql} END"
    if text == "TIMESTAMP WITH TIME ZONE":
        return rfc3339(sql)
    if text.startswith("TIMESTAMP"):
        return f"strftime(CAST({sql} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f')"
    if text.startswith("DECIMAL") or text in ("HUGEINT", "UHUGEINT"):
        return f"CAST({sql} AS DOUBLE)"
    return f"base64({sql})" if text == "BLOB" else f"CAST({sql} AS VARCHAR)"
