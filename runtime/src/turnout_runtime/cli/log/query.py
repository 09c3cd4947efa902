"""`turnout log query`: SQL over the log."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from turnout_runtime.cli.log.places import add_places, source_of
from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.analysis.query import Query

_FORMATS = ("table", "csv", "json", "parquet")
_TABLE_ROWS = 1000


def add_command(actions: Groups) -> None:
    """Register it."""
    query = actions.add_parser(
        "query",
        help="one SELECT over the log",
        description="DuckDB's SQL over the views predictions and feedback, whose columns are the fields of the"
        " records: features.NAME, facts.NAME.source, context.NAME, stages_ms.total. It reads the log and nothing else.",
    )
    add_places(query)
    query.add_argument("sql", metavar="SELECT")
    query.add_argument("-f", "--format", choices=_FORMATS, help="default: by -o's ending, else table")
    query.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of printing; needed for parquet")
    query.set_defaults(run=_query)


def _query(arguments: argparse.Namespace) -> None:
    from turnout_runtime.analysis.query import Query, appearing, querying

    kind, path = _format(arguments.format, arguments.output), arguments.output
    source = source_of(arguments)
    if path is None:
        with querying(source) as connection:
            for line in _lines(Query(connection, arguments.sql), kind):
                sys.stdout.write(line)
            sys.stdout.flush()
        return
    with appearing(path, source) as beside, querying(source, beside) as connection:
        query = Query(connection, arguments.sql)
        if kind == "parquet":
            query.parquet(beside)
        else:
            with beside.open("w", encoding="utf-8", newline="") as file:
                file.writelines(_lines(query, kind))


def _format(said: str | None, path: Path | None) -> str:
    from turnout_runtime.errors import LogInvalid

    endings = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}
    kind = said or (endings.get(path.suffix, "table") if path else "table")
    if kind == "parquet" and path is None:
        raise LogInvalid("Parquet goes to a file: add -o FILE")
    return kind


def _lines(query: "Query", kind: str) -> Iterator[str]:
    if kind == "json":
        yield from (f"{text}\n" for block in query.json() for text in block)
    elif kind == "csv":
        yield from _csv(query)
    else:
        yield from _table(query)


def _csv(query: "Query") -> Iterator[str]:
    import csv
    from io import StringIO

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in query.columns])
    for block in query.texts():
        writer.writerows(block)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _table(query: "Query") -> Iterator[str]:
    """At most as many rows as somebody reads; says when there are more."""
    from turnout_runtime.analysis.text import columns

    rows: list[list[str]] = [[name for name, _ in query.columns]]
    for block in query.texts():
        rows += [["" if value is None else value for value in row] for row in block]
        if len(rows) > _TABLE_ROWS + 1:
            break
    numbers = [index for index, (_, kind) in enumerate(query.columns) if kind.endswith("INT") or kind in _NUMBERS]
    yield from (f"{line}\n" for line in columns(rows[: _TABLE_ROWS + 1], numbers))
    if len(rows) > _TABLE_ROWS + 1:
        print(f"only the first {_TABLE_ROWS:,} rows: --format csv or json prints all", file=sys.stderr)


_NUMBERS = frozenset({"INTEGER", "DOUBLE", "FLOAT", "UINTEGER"})
