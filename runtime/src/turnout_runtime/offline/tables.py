"""Tables as Parquet files on this machine, whatever they were: from there, any rows can be read by their number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from turnout_runtime.errors import BatchInvalid
from turnout_runtime.offline.columns import RAW, Column, Columns
from turnout_runtime.offline.database import database, execute
from turnout_runtime.offline.delimited import convert
from turnout_runtime.offline.kinds import kind_of
from turnout_runtime.offline.place import matching
from turnout_runtime.offline.sql import listed, literal

Format = Literal["parquet", "csv", "jsonl"]
_SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_ROW_GROUP = 10_240
_LONGEST_LINE = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Table:
    """Parquet files with their numbers of rows, in order; `stamp` changes whenever the content may have."""

    files: tuple[tuple[Path, int], ...]
    columns: Columns
    stamp: str

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(count for _, count in self.files)


def format_of(uri: str, said: Format | None, field: str) -> Format:
    """The format by the name's ending, else as told; raises `BatchInvalid` naming the configuration's `field`."""
    name = uri.removesuffix(".gz").removesuffix(".zst")
    for suffix, found in _SUFFIXES.items():
        if name.endswith(suffix):
            return found
    if said is not None:
        return said
    formats, endings = ", ".join(get_args(Format)), ", ".join(_SUFFIXES)
    raise BatchInvalid(f"{field}: {uri} does not end in {endings}: say its format: {formats}")


def open_table(uri: str, said: Format | None, scratch: Path, field: str) -> Table:
    """Make a table readable; blocks, for as long as a copy or a conversion takes. Raises `BatchInvalid`.

    Parquet on this machine stays where it is. CSV and JSON Lines are converted, because their rows have no numbers;
    a CSV file's types are found in the whole of it, and never times, which a request has as strings.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        folder, names = matching(uri)
        kind = format_of(names[0] if uri.endswith("/") or "*" in uri else uri, said, field)
        stamp = " ".join(f"{name}={folder.stamp(name)}" for name in names)
        paths = [folder.fetch(name, scratch / "fetched") for name in names]
        with database(scratch) as connection:
            if kind != "parquet":
                paths = [_converted(connection, paths, kind, scratch / "converted.parquet")]
            return Table(_counted(connection, paths), _columns(connection, paths, kind), stamp)
    except BatchInvalid as error:
        text = str(error)
        raise BatchInvalid(text if text.startswith(field) else f"{field}: {text}") from error
    except OSError as error:
        raise BatchInvalid(f"{field}: {uri}: {error}") from error


def read(connection: Any, table: Table, sql: Sequence[str], start: int, stop: int) -> Iterator[list[tuple[Any, ...]]]:
    """Rows start to stop (not included) of the table, as blocks of tuples of the SQL; raises `BatchInvalid`."""
    first = 0
    for path, count in table.files:
        low, high = max(start - first, 0), min(stop - first, count)
        if low < high:
            source = f"read_parquet({literal(str(path))}, file_row_number = true)"
            where = f"file_row_number >= {low} AND file_row_number < {high}"
            cursor = execute(connection, f"SELECT {', '.join(sql)} FROM {source} WHERE {where}")
            while block := cursor.fetchmany(_ROW_GROUP):
                yield block
        first += count


def _converted(connection: Any, paths: Sequence[Path], kind: Format, target: Path) -> Path:
    sink = f"{literal(str(target))} (FORMAT parquet, ROW_GROUP_SIZE {_ROW_GROUP})"
    if kind == "csv":
        convert(connection, paths, sink)
        return target
    # A line that is no JSON becomes NULL, and an error of its row alone.
    options = f"format = 'newline_delimited', ignore_errors = true, maximum_object_size = {_LONGEST_LINE}"
    source = f"SELECT CAST(json AS VARCHAR) AS {RAW} FROM read_json_objects({listed(paths)}, {options})"
    connection.execute(f"COPY ({source}) TO {sink}")
    return target


def _counted(connection: Any, paths: Sequence[Path]) -> tuple[tuple[Path, int], ...]:
    counts = dict(
        connection.execute(f"SELECT file_name, num_rows FROM parquet_file_metadata({listed(paths)})").fetchall()
    )
    return tuple((path, counts[str(path)]) for path in paths)


def _columns(connection: Any, paths: Sequence[Path], kind: Format) -> Columns:
    """Those of every file; rows are read file by file, so all files must have them."""
    first = _described(connection, paths[0])
    for path in paths[1:]:
        if other := {(column.name, column.kind.text) for column in first} ^ {
            (column.name, column.kind.text) for column in _described(connection, path)
        }:
            name = min(other)[0]
            raise BatchInvalid(f"{path.name} has another column {name!r} than {paths[0].name}, or one of them has none")
    return Columns(first, raw=kind == "jsonl")


def _described(connection: Any, path: Path) -> list[Column]:
    table = connection.sql(f"FROM read_parquet({literal(str(path))})")
    return [Column(name, kind_of(found)) for name, found in zip(table.columns, table.types, strict=True)]
