"""Single records, as they were written: also fields that this version does not know."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.relation import table_of
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.log.read import blocks_of
from turnout_runtime.offline.sql import literal, quoted, rfc3339

Record = Mapping[str, Any]
_BLOCK = 1024
_ZONED = "TIMESTAMP WITH TIME ZONE"


def find(source: LogSource, field: str, value: str) -> list[Record]:
    """All records whose text field has this value; reads the whole log."""
    return [*_in_lines(source, field, value), *_in_parquet(source, field, value)]


def lines(source: LogSource) -> Iterator[bytes]:
    """All predictions as whole lines of JSON, several at a time; segments first, oldest first."""
    for path in source.lines:
        yield from (block.payload for block in blocks_of(path))
    for text in _rows(source, "true"):
        yield f"{text}\n".encode()


def feedback_on(source: LogSource, prediction_id: str) -> list[Record]:
    """What came back about a prediction under its id, oldest first: time, received, label, reward, source as text."""
    times = (f"{rfc3339(name)} AS {name}" for name in ("time", "received"))
    select = f"SELECT {', '.join(times)}, label, CAST(reward AS VARCHAR) AS reward, source FROM feedback"
    with database() as connection:
        if not source.feedback(connection):
            return []
        order = "ORDER BY coalesce(feedback.time, feedback.received)"
        cursor = connection.execute(f"{select} WHERE prediction_id = {literal(prediction_id)} {order}")
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _in_lines(source: LogSource, field: str, value: str) -> Iterator[Record]:
    needle = orjson.dumps(value)
    for path in source.lines:
        for piece in blocks_of(path):
            if needle in piece.payload:
                yield from _matching(piece.payload, needle, field, value)


def _matching(block: bytes, needle: bytes, field: str, value: str) -> Iterator[Record]:
    for line in block.splitlines():
        if needle in line and (record := parsed(line)) is not None and record.get(field) == value:
            yield record


def parsed(line: bytes) -> Record | None:
    """The record in a line; None for what is none."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _in_parquet(source: LogSource, field: str, value: str) -> Iterator[Record]:
    yield from map(orjson.loads, _rows(source, f"{quoted(field)} = {literal(value)}"))


def _rows(source: LogSource, where: str) -> Iterator[str]:
    if not source.has_parquet:
        return
    with database() as connection:
        if paths := source.parquet(connection, "predictions"):
            yield from as_json(connection, paths, where)


def as_json(connection: Any, paths: Sequence[Path], where: str) -> Iterator[str]:
    """Rows of Parquet files as lines of the log have them."""
    table = table_of(paths)
    times = [name for name, of, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall() if of == _ZONED]
    replaced = ", ".join(f"{rfc3339(quoted(name))} AS {quoted(name)}" for name in times)
    rows = f"SELECT *{f' REPLACE ({replaced})' if times else ''} FROM {table} WHERE {where}"
    cursor = connection.execute(f"SELECT CAST(to_json(r) AS VARCHAR) FROM ({rows}) r")
    while block := cursor.fetchmany(_BLOCK):
        yield from (text for (text,) in block)
