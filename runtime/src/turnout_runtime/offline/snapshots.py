"""Facts as of each row's time: never what was not known yet, and always the newest of what was."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.bundle.progress import Progress, Tell, quiet
from turnout_runtime.config import SnapshotLocation
from turnout_runtime.errors import BatchInvalid
from turnout_runtime.facts import Found, NoSuchKey, Scope
from turnout_runtime.offline.columns import Values
from turnout_runtime.offline.database import database
from turnout_runtime.offline.index import Entry, Index, write_index
from turnout_runtime.offline.sql import listed
from turnout_runtime.offline.tables import Table, open_table
from turnout_runtime.offline.values import as_object

_BLOCK = 10_240


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An index on this machine; values older than `max_age` seconds are not admissible. `stamp` as a table's."""

    folder: Path
    max_age: float | None
    stamp: str


class SnapshotSource:
    """A fact's past values. See `FactSource`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._index = Index(snapshot.folder)
        self._max_age_ns = None if snapshot.max_age is None else round(snapshot.max_age * 1e9)

    def get(self, key: str, scope: Scope) -> Found:
        """What was known at the scope's time; raises `NoSuchKey` when that is nothing, or too old."""
        found = self._index.find(key, scope.time_ns)
        if found is None or (self._max_age_ns is not None and scope.time_ns - found[0] > self._max_age_ns):
            raise NoSuchKey(key)
        return Found(orjson.loads(found[1]), as_of_ns=found[0])


def build(name: str, location: SnapshotLocation, scratch: Path, progress: Progress = quiet) -> Snapshot:
    """Index a snapshot's table under `scratch`; blocks. Raises `BatchInvalid` naming the fact's configuration."""
    field = f"facts.{name}"
    table = open_table(location.uri, None, scratch, f"{field}.uri")
    remedy = "name the right one in keyColumn and timeColumn (--facts name=table,key=…,time=…)"
    table.columns.check(location.key_column, f"{field}.keyColumn", remedy)
    table.columns.check(location.time_column, f"{field}.timeColumn", remedy)
    with progress(f"indexing {name}", table.rows, " rows") as tell:
        write_index(scratch / "index", _entries(field, location, table, scratch, tell))
    return Snapshot(scratch / "index", location.max_age_seconds, f"{table.stamp} {location.model_dump_json()}")


def _entries(field: str, location: SnapshotLocation, table: Table, scratch: Path, tell: Tell) -> Iterator[Entry]:
    """The table's rows in the index's order."""
    values = table.columns.values({location.key_column, location.time_column})
    key, time = table.columns.text(location.key_column), table.columns.time(location.time_column)
    names = [f"v{number}" for number in range(len(values.sql))]
    fields = ", ".join(f"{sql} AS {name}" for sql, name in zip(values.sql, names, strict=True))
    numbered = f"SELECT *, row_number() OVER () AS n FROM read_parquet({_paths(table)})"
    rows = f"SELECT {key} AS k, {time} AS t, {', '.join(filter(None, (fields, 'n')))} FROM ({numbered})"
    ordered = f"SELECT {', '.join(('k', 't', *names))}, n FROM ({rows}) ORDER BY k, t, n"
    with database(scratch) as connection:
        cursor = connection.execute(ordered)
        while block := cursor.fetchmany(_BLOCK):
            for row in block:
                yield _entry(field, row, values)
            tell(len(block))


def _entry(field: str, row: tuple[Any, ...], values: Values) -> Entry:
    key, time, number = row[0], row[1], row[-1]
    if key is None or time is None:
        what = "no key" if key is None else "no readable time"
        raise BatchInvalid(f"{field}: row {number} has {what}: leave such rows out, or mend them")
    try:
        return Entry(key.encode(), time, orjson.dumps(as_object(values, row[2:-1])))
    except ValueError as error:
        raise BatchInvalid(f"{field}: row {number}: {error}") from error


def _paths(table: Table) -> str:
    return listed([path for path, _ in table.files])
