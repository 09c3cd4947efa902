"""Segments of a test's log, and what became of them at a sink."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from turnout_runtime.log.segments import Segment, frame

STARTED = "20261122T130000000Z"


def row(number: int, **fields: Any) -> bytes:
    record = {"schema_version": 3, "prediction_id": f"p{number}", "time": "2026-11-22T13:00:00.000001Z",
              "namespace": "flights", "objective": "delay", "context": {"n": number}, "features": {"x": number / 2},
              "score": 0.5, "status": "ok"}  # fmt: skip
    return json.dumps({**record, **fields}, separators=(",", ":")).encode() + b"\n"


def feedback(number: int, **fields: Any) -> bytes:
    record = {"schema_version": 1, "feedback_id": f"f{number}", "received": "2026-11-22T14:30:00Z",
              "namespace": "flights", "objective": "delay", "prediction_id": f"p{number}", "label": 1}  # fmt: skip
    return json.dumps({**record, **fields}, separators=(",", ":")).encode() + b"\n"


def segment(number: int, *, kind: Any = "predictions", live: bool = False) -> Segment:
    return Segment(STARTED, 7, number, kind, live)


def write(directory: Path, number: int, rows: Sequence[bytes], per_block: int = 3, **of: Any) -> Path:
    blocks = [frame(rows[start : start + per_block]) for start in range(0, len(rows), per_block)]
    path = directory / segment(number, **of).name
    path.write_bytes(b"".join(blocks))
    return path


def delivered(root: Path, key: str = "prediction_id", kind: str = "predictions") -> list[str]:
    """What is below a root, by key, as often as it is there."""
    if not list((root / kind).rglob("*.parquet")):
        return []
    table = f"read_parquet('{root}/{kind}/**/*.parquet', hive_partitioning = false, union_by_name = true)"
    return [found for (found,) in duckdb.sql(f"SELECT {key} FROM {table} ORDER BY length({key}), {key}").fetchall()]


def ids(numbers: Iterable[int]) -> list[str]:
    return [f"p{number}" for number in numbers]
