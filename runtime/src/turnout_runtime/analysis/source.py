"""Where predictions are read from: the one place that knows what a log's files are.

Today pods write JSON Lines; Parquet files below the same folders are read as well, and both are one relation. A line
that is half written, or no record, is left out and can be counted.
"""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.schema import FIELDS, TYPES
from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.files import log_files
from turnout_runtime.offline.sql import listed, literal, quoted

VIEW = "predictions"
_LINES = "_lines"


class LogSource:
    """The predictions below some folders, files and patterns; the files are found when it is made."""

    def __init__(self, places: Sequence[str | Path]) -> None:
        """Raises `LogInvalid` for a place that does not exist; one without files yet is an empty log."""
        self._places = [str(place) for place in places]
        self.lines, self.parquet = self._found()

    def _found(self) -> tuple[list[Path], list[Path]]:
        lines: dict[Path, None] = {}
        parquet: dict[Path, None] = {}
        for place in self._places:
            for path in _paths(place):
                folders = sorted({path, *(below.parent for below in path.rglob("*.jsonl"))}) if path.is_dir() else []
                lines.update(dict.fromkeys(file for folder in folders for file in log_files(folder)))
                parquet.update(dict.fromkeys(sorted(path.rglob("*.parquet")) if path.is_dir() else ()))
                if path.is_file():
                    (parquet if path.suffix == ".parquet" else lines)[path] = None
        return list(lines), list(parquet)

    def refresh(self) -> list[Path]:
        """Find the files anew; the JSON Lines among them, which are those that grow."""
        self.lines, self.parquet = self._found()
        return self.lines

    @property
    def files(self) -> list[Path]:
        """All files: JSON Lines of each folder oldest first, then Parquet."""
        return [*self.lines, *self.parquet]

    def view(self, connection: Any) -> None:
        """Make the view `predictions`, typed as the schema says, in a DuckDB connection."""
        parts = []
        if self.lines:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {_LINES} AS {_json_lines(self.lines)}")
            parts.append(f"SELECT * FROM {_LINES} WHERE prediction_id IS NOT NULL")
        if self.parquet:
            parts.append(_parquet(connection, self.parquet))
        if not parts:
            empty = ", ".join(f"CAST(NULL AS {field.type}) AS {quoted(field.name)}" for field in FIELDS)
            parts.append(f"SELECT {empty} WHERE false")
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {VIEW} AS {' UNION ALL BY NAME '.join(parts)}")

    def unreadable(self, connection: Any) -> int:
        """Lines that are no records, such as one that is just being written; reads the whole log."""
        if not self.lines:
            return 0
        return int(connection.execute(f"SELECT count(*) FROM {_LINES} WHERE prediction_id IS NULL").fetchone()[0])


def _paths(place: str) -> list[Path]:
    """The folders or files that a place means."""
    if Path(place).exists():
        return [Path(place)]
    there = sorted(map(Path, glob(place, recursive=True))) if has_magic(place) else []
    found = [path for path in there if _is_log(path)]
    if not found:
        raise LogInvalid(f"{place}: there is no such folder: give the log's directory, or a pattern like 'logs/*'")
    return found


def _is_log(path: Path) -> bool:
    """Whether a pattern means this, too; a file that somebody names himself is taken as it is."""
    return path.is_dir() or path.suffix == ".parquet" or path in log_files(path.parent)


def _json_lines(paths: Sequence[Path]) -> str:
    """A value of another type than the schema's is NULL, and a line that is no JSON a row of NULLs."""
    columns = ", ".join(f"{quoted(field.name)}: {literal(field.type)}" for field in FIELDS)
    options = f"columns = {{{columns}}}, format = 'newline_delimited', ignore_errors = true"
    return f"SELECT * FROM read_json({listed(paths)}, {options})"


def _parquet(connection: Any, paths: Sequence[Path]) -> str:
    """Files of an older schema lack columns; those of a newer one may have more, which are left out."""
    table = f"read_parquet({listed(paths)}, union_by_name = true, hive_partitioning = false)"
    there = {name for name, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()}
    if "prediction_id" not in there:
        raise LogInvalid(f"{paths[0]}: no column prediction_id: this is no prediction log")
    columns = (f"CAST({quoted(name) if name in there else 'NULL'} AS {kind}) AS {quoted(name)}"
               for name, kind in TYPES.items())  # fmt: skip
    return f"SELECT {', '.join(columns)} FROM {table} WHERE prediction_id IS NOT NULL"
