"""From finished parts to the output, and what its rows say on the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from turnout_runtime.offline.answers import columns
from turnout_runtime.offline.database import database
from turnout_runtime.offline.job import Work
from turnout_runtime.offline.parts import Part, Parts
from turnout_runtime.offline.place import folder_of
from turnout_runtime.offline.sql import listed, literal, quoted, rfc3339
from turnout_runtime.offline.tables import Format

_SINKS: Mapping[Format, str] = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER true",
    "jsonl": "FORMAT json",
}
_TIME = "make_timestamp(time)"
_AS_TIME, _AS_TEXT = f"{_TIME} AT TIME ZONE 'UTC'", rfc3339(_TIME)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All rows of an output by status, and its most frequent error with the number of its rows."""

    statuses: Mapping[str, int]
    worst: tuple[str, int] | None = None

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.statuses.values())

    def told(self) -> str:
        """In words."""
        counts = ", ".join(f"{count:,} {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.rows:,} rows: {counts or 'none'}" + (f" (most: {self.worst[0]})" if self.worst else "")


def assemble(work: Work, parts: Sequence[Part], kept: Parts) -> Outcome:
    """Write the output of all parts, whole or not at all."""
    scratch, output = work.scratch / "assembled", work.output
    files = [kept.fetch(part, scratch) for part in parts]
    target = scratch / "output" / output.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with database(work.scratch) as connection:
        schema = columns(work.answers.feature_names, work.answers.with_features)
        types = ", ".join(f"{quoted(name)}: {literal(kind)}" for name, kind in schema.items())
        source = f"read_json({listed(files)}, format = 'newline_delimited', columns = {{{types}}})"
        time = _AS_TIME if output.format == "parquet" else _AS_TEXT
        tabs = r", DELIMITER '\t'" if ".tsv" in PurePosixPath(output.name).suffixes else ""
        sink = f"{literal(str(target))} ({_SINKS[output.format]}{tabs})"
        connection.execute(f"COPY (SELECT * REPLACE ({time} AS time) FROM {source}) TO {sink}")
        outcome = _outcome(connection, source)
    folder_of(output.folder).put(target, output.name)
    return outcome


def _outcome(connection: Any, source: str) -> Outcome:
    counts = connection.execute(f"SELECT status, count(*) FROM {source} GROUP BY status").fetchall()
    errors = f"SELECT error, count(*) AS n FROM {source} WHERE error IS NOT NULL GROUP BY error"
    worst = connection.execute(f"{errors} ORDER BY n DESC, error LIMIT 1").fetchone()
    return Outcome(dict(counts), worst)
