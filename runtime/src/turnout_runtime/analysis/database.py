"""DuckDB over the log: bounded memory, and where foreign SQL runs, locked in."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.database import opened

MEMORY = 768 * 1024**2
"""Bytes that DuckDB may keep in memory; joins and sorts of more than that spill to a folder of their own."""
_LEAST = 64 * 1024**2
_CGROUP = Path("/sys/fs/cgroup")


@contextmanager
def database() -> Iterator[Any]:
    """A connection in memory, in UTC; raises `LogInvalid` for what it cannot read or do."""
    with tempfile.TemporaryDirectory(prefix="turnout-log-") as scratch:
        settings: dict[str, Any] = {
            "temp_directory": scratch,
            "memory_limit": f"{_memory(_CGROUP)}B",
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
        }
        with opened(settings, "reading logs", _explained) as connection:
            yield connection


def one(connection: Any, sql: str) -> Any:
    """The only row of a query's answer."""
    return connection.execute(sql).fetchone()


def _memory(cgroup: Path) -> int:
    """Less where a container has little left: beside a pod that serves, a question must not end it.

    File pages that nobody used lately are as good as free.
    """
    try:
        limit, used, stat = ((cgroup / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
        pages = next(int(line.split()[1]) for line in stat.splitlines() if line.startswith("inactive_file "))
        return max(_LEAST, min(MEMORY, (int(limit) - int(used) + pages) // 2))
    except (OSError, ValueError, StopIteration):  # no limit, or none of this kind
        return MEMORY


def lock(connection: Any, paths: Sequence[Path]) -> None:
    """From here on SQL reaches these files and no others, loads no extension, and changes no setting."""
    from turnout_runtime.offline.sql import listed

    connection.execute(f"SET allowed_paths = {listed(paths)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _explained(error: Exception | str) -> LogInvalid:
    return LogInvalid(told(error))


def told(error: Exception | str) -> str:
    """DuckDB's message without the picture of the statement."""
    text = " ".join(str(error).split("\n\nLINE")[0].split())[:600]
    return f"{text}: if a pod has rotated it away meanwhile, try again" if "No files found" in text else text
