"""Small tables that people have: CSV, JSON Lines, Parquet."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.offline.database import opened

_BLOCK = 10_240
_LONGEST = 200
_READERS = {".parquet": "read_parquet", ".csv": "read_csv_auto", ".jsonl": "read_json", ".json": "read_json"}


def table_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The table's rows by column; decimals are floats. Raises `EvaluationInvalid` for what is no such table."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in _READERS:
        raise EvaluationInvalid(f"{path}: give .parquet, .csv or .jsonl")

    def failed(error: Exception | str) -> EvaluationInvalid:
        return EvaluationInvalid(f"{path} cannot be read: {' '.join(str(error).split())[:_LONGEST]}")

    with opened({}, "reading tables", failed) as connection:
        cursor = connection.execute(f"FROM {_READERS[suffix]}(?)", [str(path)])
        names = [column[0] for column in cursor.description]
        while block := cursor.fetchmany(_BLOCK):
            for row in block:
                yield dict(zip(names, map(_plain, row), strict=True))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
