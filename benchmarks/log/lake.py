"""What came out at a sink: Parquet files, each read to its end."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb


@dataclass(frozen=True)
class Lake:
    """Predictions below a root: rows by request, how many come twice by `prediction_id`, and what cannot be read."""

    requests: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    doubled: int = 0
    files: int = 0
    bytes: int = 0
    unreadable: list[str] = field(default_factory=list)


def read(root: Path) -> Lake:
    """Every file with every column; one that fails is told, and the rest still counts."""
    good, unreadable = [], []
    files = sorted((root / "predictions").rglob("*.parquet"))
    for path in files:
        try:
            duckdb.sql(f"CREATE OR REPLACE TEMP TABLE each_one AS FROM read_parquet({_quoted([path])})")
            good.append(path)
        except duckdb.Error as error:
            unreadable.append(f"{path}: {error}")
    duckdb.sql("DROP TABLE IF EXISTS each_one")
    size = sum(path.stat().st_size for path in files)
    if not good:
        return Lake(files=len(files), bytes=size, unreadable=unreadable)
    source = f"read_parquet({_quoted(good)}, hive_partitioning = false, union_by_name = true)"
    rows, distinct = _one(f"SELECT count(*), count(DISTINCT prediction_id) FROM {source}")
    found = duckdb.sql(f"SELECT request_id, count(*) FROM {source} GROUP BY ALL").fetchall()
    return Lake(dict(found), rows, rows - distinct, len(files), size, unreadable)


def _one(query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = duckdb.sql(query).fetchone()
    assert row is not None
    return row


def _quoted(paths: list[Path]) -> str:
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths) + "]"
