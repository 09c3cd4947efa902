"""Records of prediction logs as objects."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.analysis.places import Range
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import EvaluationInvalid, LogInvalid
from turnout_runtime.log.read import blocks_of

Record = dict[str, Any]
_ALL = Range()


def log_at(places: Sequence[str | Path], during: Range = _ALL, option: str = "--log") -> LogSource:
    """The log at some places; raises `EvaluationInvalid` naming the option for one that is none."""
    try:
        return LogSource(places, during)
    except LogInvalid as error:
        raise EvaluationInvalid(f"{option} {error}") from None


def records(places: Sequence[str | Path], during: Range = _ALL) -> Iterator[Record]:
    """All records of a log; raises `EvaluationInvalid` for a place that is none."""
    yield from records_of(log_at(places, during))


def records_of(source: LogSource) -> Iterator[Record]:
    """All records, segments first, oldest first; Parquet files of other hours than the range's are left out.

    Raises `EvaluationInvalid` for a line that is no record.
    """
    for path in source.lines:
        yield from _in_segment(path)
    if source.has_parquet:
        yield from _in_parquet(source)


def _in_segment(path: Path) -> Iterator[Record]:
    for piece in blocks_of(path):
        yield from parsed(piece.payload, str(path))


def _in_parquet(source: LogSource) -> Iterator[Record]:
    from turnout_runtime.analysis.database import database
    from turnout_runtime.analysis.find import as_json

    with database() as connection:
        if paths := source.parquet(connection, "predictions"):
            yield from map(orjson.loads, as_json(connection, paths, "prediction_id IS NOT NULL"))


def parsed(block: bytes, place: str) -> Iterator[Record]:
    """The records in whole lines; raises `EvaluationInvalid` naming the place for a line that is none."""
    for line in block.split(b"\n"):
        if line:
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise EvaluationInvalid(f"{place} has a line that is not JSON ({error}): take it out") from None
            if not isinstance(record, dict):
                raise EvaluationInvalid(f"{place} has a line that is no object: take it out")
            yield record


def at(record: Record, path: Sequence[str]) -> Any:
    """What is under a path such as ("context", "carrier"); None where there is nothing."""
    found: Any = record
    for name in path:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found
