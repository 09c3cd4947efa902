"""Columns of label files as SQL, whatever types the file has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.place import matching
from turnout_runtime.offline.sql import listed, literal, quoted
from turnout_runtime.offline.tables import format_of

Types: TypeAlias = Mapping[str, str]
_TIMES = ("TIMESTAMP", "DATE")


def table_of(uri: str, scratch: Path) -> str:
    """CSV is text, whatever it looks like: an id of digits keeps its zeros."""
    folder, names = matching(uri)
    paths = listed([folder.fetch(name, scratch) for name in names])
    match format_of(names[0], None, "labels"):
        case "parquet":
            return f"read_parquet({paths}, union_by_name = true)"
        case "csv":
            return f"read_csv({paths}, all_varchar = true, header = true)"
        case "jsonl":
            return f"read_json({paths}, format = 'newline_delimited', convert_strings_to_integers = false)"


def column(types: Types, said: str | None, usual: str) -> str:
    """The column that somebody named, else the usual one; raises `LogInvalid` when it is not there."""
    found = optional(types, said, usual)
    if found is None:
        option = usual.removeprefix("prediction_").removesuffix("_id") + "-column"
        raise LogInvalid(f"labels: no column {usual}; there are {', '.join(types)}: name it with --{option}")
    return found


def optional(types: Types, said: str | None, usual: str) -> str | None:
    """The same, but the usual one may be missing."""
    if said is not None and said not in types:
        raise LogInvalid(f"labels: no column {said!r}; there are {', '.join(types)}")
    return said or (usual if usual in types else None)


def time_of(name: str, types: Types) -> str:
    """A time, RFC 3339 text, or seconds since 1970; without a zone in UTC."""
    if types[name].startswith(_TIMES):
        return f"CAST({quoted(name)} AS TIMESTAMPTZ)"
    text = f"CAST({quoted(name)} AS VARCHAR)"
    return f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ), to_timestamp(TRY_CAST({text} AS DOUBLE)))"


def number_of(name: str | None, types: Types) -> str:
    """A finite number; true and false are 1 and 0."""
    if name is None:
        return "CAST(NULL AS DOUBLE)"
    text = quoted(name)
    number = f"coalesce(TRY_CAST({text} AS DOUBLE), CAST(TRY_CAST({text} AS BOOLEAN) AS DOUBLE))"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def label_of(name: str | None, types: Types, positive: str | None) -> str:
    """A number, or whether it is the positive word."""
    if name is None or positive is None:
        return number_of(name, types)
    return f"CAST(nullif(CAST({quoted(name)} AS VARCHAR), '') = {literal(positive)} AS DOUBLE)"


def check_numbers(connection: Any, table: str, name: str, types: Types, positive: str | None) -> None:
    """Raise `LogInvalid` for a column of words, unless it is known which of them is positive."""
    if positive is not None or types[name] != "VARCHAR":
        return
    text = quoted(name)
    word = f"trim({text}) <> '' AND TRY_CAST({text} AS DOUBLE) IS NULL AND TRY_CAST({text} AS BOOLEAN) IS NULL"
    words = f"SELECT {text} FROM {table} WHERE {word}"
    if found := connection.execute(f"{words} LIMIT 1").fetchone():
        raise LogInvalid(f"labels: {name}: {found[0][:40]!r} is no number: say with --positive which word means 1")
