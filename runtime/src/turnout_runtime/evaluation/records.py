"""Records of prediction logs as objects."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.log.read import rows

Record = dict[str, Any]


def records(directories: Sequence[Path]) -> Iterator[Record]:
    """All records of the logs, directory by directory, oldest file first.

    Raises `EvaluationInvalid` for a directory that is none, and for a line that is no record.
    """
    for directory in directories:
        if not directory.is_dir():
            raise EvaluationInvalid(f"--log {directory}: no such directory; give the folder of predictions-*.jsonl")
        for block in rows(directory):
            yield from parsed(block, str(directory))


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
