"""DuckDB, alone in its process, with its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.errors import BatchInvalid


@contextmanager
def database(scratch: Path, threads: int | None = None) -> Iterator[Any]:
    """A DuckDB connection in memory that spills to `scratch`; raises `BatchInvalid` for what it cannot read."""
    try:
        import duckdb
    except ImportError as error:
        raise BatchInvalid("reading tables needs turnout-runtime[batch]") from error
    settings: dict[str, Any] = {
        "temp_directory": str(scratch),
        "TimeZone": "UTC",
        "autoinstall_known_extensions": False,
    }
    if threads is not None:
        settings["threads"] = threads
    try:
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.Error as error:
        raise BatchInvalid(" ".join(str(error).split())[:600]) from error
