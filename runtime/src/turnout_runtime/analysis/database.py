"""DuckDB over the log: few threads, bounded memory, and where foreign SQL runs, locked in."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.errors import LogInvalid

MEMORY = "768MB"
"""What DuckDB may keep in memory; joins and sorts of more than that spill to a folder of their own."""


@contextmanager
def database(memory: str = MEMORY, threads: int | None = None) -> Iterator[Any]:
    """A connection in memory, in UTC; raises `LogInvalid` for what it cannot read or do."""
    try:
        import duckdb
    except ImportError as error:
        raise LogInvalid("reading logs needs turnout-runtime[batch]") from error
    with tempfile.TemporaryDirectory(prefix="turnout-log-") as scratch:
        settings: dict[str, Any] = {
            "temp_directory": scratch,
            "memory_limit": memory,
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
        }
        if threads is not None:
            settings["threads"] = threads
        try:
            with duckdb.connect(config=settings) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as error:
            raise LogInvalid(told(error)) from error


def lock(connection: Any, paths: Sequence[Path]) -> None:
    """From here on SQL reaches these files and no others, loads no extension, and changes no setting."""
    from turnout_runtime.offline.sql import listed

    connection.execute(f"SET allowed_paths = {listed(paths)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def told(error: Exception) -> str:
    """DuckDB's message without the picture of the statement."""
    return " ".join(str(error).split("\n\nLINE")[0].split())[:600]
