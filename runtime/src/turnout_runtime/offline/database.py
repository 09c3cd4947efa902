"""DuckDB, alone in its process, with its errors in our words."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.errors import BatchInvalid, TurnoutError

_ADVICE = re.compile(r" (?:Possible (?:fixes|Solution):|LINE \d+:|Candidate bindings:)")
_LONGEST = 400


@contextmanager
def database(scratch: Path, threads: int | None = None) -> Iterator[Any]:
    """A DuckDB connection in memory that spills to `scratch`; raises `BatchInvalid` for what it cannot do."""
    settings: dict[str, Any] = {"temp_directory": str(scratch)}
    if threads is not None:
        settings["threads"] = threads
    with opened(settings, "reading tables", told) as connection:
        yield connection


@contextmanager
def opened(
    settings: Mapping[str, Any], purpose: str, failed: Callable[[Exception | str], TurnoutError]
) -> Iterator[Any]:
    """A DuckDB connection in memory whose times are UTC; what it cannot do raises what `failed` makes of it."""
    try:
        import duckdb
    except ImportError as error:
        raise failed(f"{purpose} needs turnout-runtime[batch]") from error
    try:
        config = {**settings, "TimeZone": "UTC", "autoinstall_known_extensions": False}
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.Error as error:
        raise failed(error) from error


def execute(connection: Any, sql: str) -> Any:
    """A query's cursor, outside of the block that opened the connection; raises `BatchInvalid`."""
    import duckdb

    try:
        return connection.execute(sql)
    except duckdb.Error as error:
        raise told(error) from error


def told(error: Exception | str) -> BatchInvalid:
    """DuckDB's error in one line, without its advice on options that nobody here can set."""
    return BatchInvalid(_ADVICE.split(" ".join(str(error).split()))[0][:_LONGEST])
