"""A segment's rows as Parquet, through DuckDB in little memory: its SQL. Paths are relative, for it takes * and ? in
them for patterns.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from turnout_runtime.analysis.relation import KEY
from turnout_runtime.analysis.schema import FEEDBACK_TYPES, TYPES
from turnout_runtime.log.segments import Kind
from turnout_runtime.offline.sql import literal, quoted
from turnout_runtime.ship.naming import Rows, folders

_GROUP_ROWS = 10_240
_GROUP_BYTES, _SMALL_GROUP_BYTES = 16 * 1024**2, 4 * 1024**2
_OBJECT = 1024**2
_HOUR: dict[Kind, str] = {"predictions": "time", "feedback": "received"}
_TYPES = {"predictions": TYPES, "feedback": FEEDBACK_TYPES}


class Made(NamedTuple):
    """A file of one partition, and that partition's folder below a root."""

    path: Path
    folder: str
    rows: int


class Parquet:
    """Writes files to a folder. Raises what DuckDB raises."""

    def __init__(self, connection: Any, kind: Kind, folder: Path, longest: int, small: bool) -> None:
        """`longest` is that of a row in bytes; rows that are not `small` are kept in few at a time."""
        self._connection, self._kind, self._folder = connection, kind, folder
        self._longest = max(_OBJECT, longest + 2)
        size = _GROUP_BYTES if small else _SMALL_GROUP_BYTES
        self._format = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_GROUP_ROWS}, ROW_GROUP_SIZE_BYTES {size}"

    def write(self, sources: Iterable[Path]) -> tuple[Path, int]:
        """All rows of JSON Lines in one file, and their number; each source is read before the next is asked for."""
        parts = list[Path]()
        rows = 0
        for source in sources:
            parts.append(self._folder / f"part-{len(parts)}.parquet")
            rows += self._copy(self._lines(source), parts[-1])
        if len(parts) == 1:
            return parts[0], rows
        whole = self._folder / "all.parquet"
        self._copy(f"FROM {_table(parts)}", whole)
        return whole, rows

    def split(self, whole: Path) -> list[Made]:
        """The file as it is where all rows are of one partition, which they nearly always are, else one for each."""
        hour = f"strftime({quoted(_HOUR[self._kind])} AT TIME ZONE 'UTC', '%Y-%m-%dT%H')"
        source = f"(SELECT *, {hour} AS _hour FROM {_table([whole])})"
        counts = f"SELECT namespace, objective, _hour, count(*) FROM {source} GROUP BY ALL"
        rows = [Rows(*row) for row in self._connection.execute(counts).fetchall()]
        places = folders(self._kind, rows)
        if len(set(places)) == 1:
            return [Made(whole, places[0], sum(row.rows for row in rows))]
        self._connection.execute("CREATE TEMP TABLE places (namespace VARCHAR, objective VARCHAR, hour VARCHAR, n INT)")
        names = sorted(set(places))
        known = [[*row[:3], names.index(place)] for row, place in zip(rows, places, strict=True)]
        self._connection.executemany("INSERT INTO places VALUES (?, ?, ?, ?)", known)
        return [self._partition(source, number, name) for number, name in enumerate(names)]

    def _partition(self, source: str, number: int, name: str) -> Made:
        columns = (("namespace", "namespace"), ("objective", "objective"), ("_hour", "hour"))
        same = " AND ".join(f"r.{mine} IS NOT DISTINCT FROM p.{theirs}" for mine, theirs in columns)
        select = f"SELECT r.* EXCLUDE (_hour) FROM {source} r JOIN places p ON {same} WHERE p.n = {number}"
        target = self._folder / f"{number}.parquet"
        return Made(target, name, self._copy(select, target))

    def _lines(self, source: Path) -> str:
        """A value of another type than the schema's is NULL, and a line that is no JSON no row."""
        columns = ", ".join(f"{quoted(name)}: {literal(of)}" for name, of in _TYPES[self._kind].items())
        options = f"columns = {{{columns}}}, format = 'newline_delimited', ignore_errors = true"
        table = f"read_json({literal(str(source))}, {options}, maximum_object_size = {self._longest})"
        return f"SELECT * FROM {table} WHERE {quoted(KEY[self._kind])} IS NOT NULL"

    def _copy(self, select: str, target: Path) -> int:
        return int(
            self._connection.execute(f"COPY ({select}) TO {literal(str(target))} ({self._format})").fetchone()[0]
        )


def _table(paths: Sequence[Path]) -> str:
    names = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{names}], hive_partitioning = false)"
