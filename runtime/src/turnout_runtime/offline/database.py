"""DuckDB, alone in its process, with its errors in our words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.errors import BatchInvalid

_ADVICE = re.compile(r" (?:Possible (?:fixes|Solution):|LINE \d+:|Candidate bindings:)")
_LONGEST = 400


@contextmanager
def database(scratch: Path, threads: int | None = None) -> Iterator[Any]:
    """A DuckDB connection in memory that spills to `scratch`; raises `BatchInvalid` for what it cannot do."""
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
        raise told(error) from error


def execute(connection: Any, sql: str) -> Any:
    """A query's cursor, outside of the block that opened the connection; raises `BatchInvalid`."""
    import duckdb

    try:
        return connection.execute(sql)
    except duckdb.Error as error:
        raise told(error) from error


def told(error: Exception) -> BatchInvalid:
    """DuckDB's error in one line, without its advice on options that nobody here can set."""
    return BatchInvalid(_ADVICE.split(" ".join(str(error).split()))[0][:_LONGEST])
