"""Single records, as they were written: also fields that this version does not know."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.lines import blocks
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.offline.sql import listed, quoted

Record = Mapping[str, Any]


def find(source: LogSource, field: str, value: str) -> list[Record]:
    """All records whose text field has this value; reads the whole log."""
    return [*_in_lines(source, field, value), *_in_parquet(source, field, value)]


def _in_lines(source: LogSource, field: str, value: str) -> Iterator[Record]:
    needle = orjson.dumps(value)
    for path in source.lines:
        for block in blocks(path):
            if needle in block:
                yield from _matching(block, needle, field, value)


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
    if not source.parquet:
        return
    table = f"read_parquet({listed(source.parquet)}, union_by_name = true, hive_partitioning = false)"
    time = "strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ') AS time"
    with database() as connection:
        matching = f"SELECT * REPLACE ({time}) FROM {table} WHERE {quoted(field)} = ?"
        cursor = connection.execute(f"SELECT CAST(to_json(r) AS VARCHAR) FROM ({matching}) r", [value])
        for (text,) in cursor.fetchall():
            yield orjson.loads(text)
