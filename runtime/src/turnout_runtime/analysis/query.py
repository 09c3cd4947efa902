"""SQL over the views `predictions` and `feedback`, from somebody who shall read the log and nothing else."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.database import database, lock
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import literal, quoted, rfc3339

_ZONED = "TIMESTAMP WITH TIME ZONE"
_BLOCK = 1024
Block = Sequence[tuple[str | None, ...]]


class Query:
    """One SELECT; each way to have its rows runs it anew. Raises `LogInvalid` with DuckDB's words."""

    def __init__(self, connection: Any, sql: str) -> None:
        self._connection = connection
        # Inside another SELECT nothing can write: DuckDB takes COPY and INSERT, also in a WITH, only outermost.
        self._select = f"(\n{_checked(connection, sql)}\n)"
        self.columns: list[tuple[str, str]] = [
            (name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {self._select}").fetchall()
        ]

    def texts(self) -> Iterator[Block]:
        """Blocks of rows of text; None for NULL."""
        columns = ", ".join(_as_text(name, kind) for name, kind in self.columns)
        cursor = self._connection.execute(f"SELECT {columns} FROM {self._select}")
        while block := cursor.fetchmany(_BLOCK):
            yield block

    def json(self) -> Iterator[list[str]]:
        """Blocks of rows as JSON objects."""
        columns = ", ".join(f"{_time(name, kind)} AS {quoted(name)}" for name, kind in self.columns)
        rows = f"SELECT {columns} FROM {self._select}"
        cursor = self._connection.execute(f"SELECT CAST(to_json(r) AS VARCHAR) FROM ({rows}) r")
        while block := cursor.fetchmany(_BLOCK):
            yield [text for (text,) in block]

    def parquet(self, path: Path) -> None:
        """Write all rows to this file, one of those that `querying` opened the database for."""
        copy = f"COPY (SELECT * FROM {self._select}) TO {literal(str(path))}"
        self._connection.execute(f"{copy} (FORMAT parquet, USE_TMP_FILE false)")


@contextmanager
def querying(source: LogSource, writable: Path | None = None) -> Iterator[Any]:
    """A connection with the views `predictions` and `feedback`, locked to the log's files and the one to write."""
    with database() as connection:
        source.view(connection)
        source.feedback(connection)
        lock(connection, [*source.files, *([writable] if writable else [])])
        yield connection


@contextmanager
def appearing(path: Path, source: LogSource) -> Iterator[Path]:
    """A name beside `path` to write to; the file has its own name once it is whole.

    Raises `LogInvalid` for a file of the log itself.
    """
    if path.resolve() in {file.resolve() for file in source.files}:
        raise LogInvalid(f"{path} is a part of the log, which is read: write to another file")
    beside = path.absolute().with_name(f".{path.name}.{os.getpid()}.new")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _checked(connection: Any, sql: str) -> str:
    """The statement without its semicolon; raises `LogInvalid` unless it is exactly one SELECT."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        raise LogInvalid("give one SELECT: the log is read-only here")
    return str(statements[0].query).strip().rstrip(";")


def _time(name: str, kind: str) -> str:
    return rfc3339(quoted(name)) if kind == _ZONED else quoted(name)


def _as_text(name: str, kind: str) -> str:
    return f"CAST({_time(name, kind)} AS VARCHAR)"
