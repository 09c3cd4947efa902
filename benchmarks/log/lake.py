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
    files = sorted((root / "predictions").rglob("*.parquet"))
    with duckdb.connect() as database:
        unreadable = {path: error for path in files if (error := _fault(database, path))}
        told = [f"{path}: {error}" for path, error in unreadable.items()]
        size = sum(path.stat().st_size for path in files)
        source = _source([path for path in files if path not in unreadable])
        if len(unreadable) == len(files):
            return Lake(files=len(files), bytes=size, unreadable=told)
        rows, distinct = all_of(database, f"SELECT count(*), count(DISTINCT prediction_id) FROM {source}")[0]
        requests = all_of(database, f"SELECT request_id, count(*) FROM {source} GROUP BY ALL")
        return Lake(dict(requests), rows, rows - distinct, len(files), size, told)


def all_of(database: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The query's rows."""
    found: list[tuple[Any, ...]] = database.execute(query).fetchall()
    return found


def _fault(database: duckdb.DuckDBPyConnection, path: Path) -> str | None:
    """What is wrong with a file, if anything is; all of it is decoded."""
    try:
        database.execute(f"CREATE OR REPLACE TEMP TABLE whole AS FROM {_source([path])}")
        database.execute("DROP TABLE whole")
    except duckdb.Error as error:
        return str(error)
    return None


def _source(paths: list[Path]) -> str:
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{names}], hive_partitioning = false, union_by_name = true)"
