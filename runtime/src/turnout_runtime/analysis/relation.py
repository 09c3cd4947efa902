"""Files of a log as typed relations: SQL. The schema's columns, whatever the files have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.places import LogFile, Range
from turnout_runtime.analysis.schema import FEEDBACK_TYPES, TYPES
from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.segments import Kind
from turnout_runtime.offline.sql import listed, literal, quoted
from turnout_runtime.times import rfc3339

MERGED, MERGED_PREFIX = "turnout.merged", "merged-"
"""A Parquet file that was made of others is called so, and its metadata has their names under this key: beside it they
count no more. So one file that appears replaces many at once, and a late retry of one of them doubles nothing."""
KEY: Mapping[Kind, str] = {"predictions": "prediction_id", "feedback": "feedback_id"}
_TYPES: Mapping[Kind, Mapping[str, str]] = {"predictions": TYPES, "feedback": FEEDBACK_TYPES}
_SAME: Mapping[str, str] = {}
_TIME: Mapping[Kind, str] = {"predictions": "time", "feedback": "received"}


def of_lines(kind: Kind, paths: Sequence[Path], types: Mapping[str, str] = _SAME) -> str:
    """Segments; `types` are wanted in place of the schema's.

    A value of another type is NULL, and a line that is no JSON a row of NULLs.
    """
    columns = ", ".join(f"{quoted(name)}: {literal(of)}" for name, of in {**_TYPES[kind], **types}.items())
    options = f"columns = {{{columns}}}, format = 'newline_delimited', ignore_errors = true, hive_partitioning = false"
    return f"SELECT * FROM read_json({listed(paths)}, {options})"


def of_parquet(connection: Any, kind: Kind, paths: Sequence[Path], types: Mapping[str, str] = _SAME) -> str:
    """Parquet likewise: files of an older schema lack columns; a newer one's may have more, which are left out."""
    table, key = table_of(paths), KEY[kind]
    there = {name: of for name, of, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()}
    if key not in there:
        raise LogInvalid(f"{paths[0]}: no column {key}: this is no log of {kind}")
    columns = (_column(name, of, there.get(name)) for name, of in {**_TYPES[kind], **types}.items())
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {key} IS NOT NULL"


def table_of(paths: Sequence[Path]) -> str:
    """Parquet files as one table, whatever columns each of them has."""
    return f"read_parquet({listed(paths)}, union_by_name = true, hive_partitioning = false)"


def of_none(kind: Kind) -> str:
    """No rows."""
    empty = ", ".join(f"CAST(NULL AS {of}) AS {quoted(name)}" for name, of in _TYPES[kind].items())
    return f"SELECT {empty} WHERE false"


def within(kind: Kind, during: Range, objective: str | None) -> str:
    """Further conditions on the rows. Feedback about a range may come any time after it."""
    until = during.until if kind == "predictions" else None
    sides = ((">=", during.since), ("<", until))
    times = "".join(f" AND {quoted(_TIME[kind])} {sign} TIMESTAMPTZ '{rfc3339(at)}'" for sign, at in sides if at)
    return times if objective is None else f"{times} AND objective = {literal(objective)}"


def superseded(connection: Any, merged: Mapping[Path, LogFile]) -> set[str]:
    """The places of files that were merged into these, which are on this machine."""
    if not merged:
        return set()
    select = f"SELECT file_name, decode(value) FROM parquet_kv_metadata({listed(merged)})"
    rows = connection.execute(f"{select} WHERE decode(key) = {literal(MERGED)}").fetchall()
    by_name = {str(path): file for path, file in merged.items()}
    return {f"{by_name[name].partition}/{old}" for name, names in rows for old in names.split("\n")}


def _column(name: str, wanted: str, found: str | None) -> str:
    if found == wanted:
        return quoted(name)
    return f"CAST({'NULL' if found is None else quoted(name)} AS {wanted}) AS {quoted(name)}"
