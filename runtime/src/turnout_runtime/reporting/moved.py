"""What of a report shows drift: a sample of the range against a reference, column by column."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from turnout_runtime.analysis.database import database, one
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.evaluation.drift.columns import columns
from turnout_runtime.evaluation.drift.compare import Shift, compare
from turnout_runtime.evaluation.drift.reference import reference
from turnout_runtime.evaluation.records import Record

SAMPLE = 50_000
_FIELDS = "epoch_us(time) / 1e6 AS t, score, decision, features, context"


@dataclass(frozen=True, slots=True)
class Moved:
    """Columns, those that moved most first; `against` says in words what the reference is."""

    shifts: Sequence[Shift]
    against: str


def moved(source: LogSource, place: str | None, middle: float) -> Moved:
    """Against the log or table at `place`, or of the second half of the range (from `middle` on) against the first."""
    where = "NOT coalesce(shadow, false)"
    rate = "coalesce(sample_rate, 1)"
    with database() as connection:
        source.view(connection, {"features": "JSON"} if source.segmented else {})  # text is quicker read than a map
        (least,) = one(connection, f"SELECT min({rate}) FROM predictions WHERE {where}")
        if least is not None and least < 1:  # records kept at a higher rate are thinned out, as for drift
            where += f" AND hash(prediction_id) / 2.0**64 < {least} / {rate}"
        rows = list(_sample(connection, where, SAMPLE if place else 2 * SAMPLE))
    if place is not None:
        return Moved(compare(columns(sampled(_like(reference(place), source.objective), SAMPLE)), columns(rows)), place)
    before, now = ([row for row in rows if (row["t"] >= middle) is late] for late in (False, True))
    return Moved(compare(columns(before), columns(now)), "the first half of this range")


def sampled(records: Iterable[Record], most: int) -> list[Record]:
    """So many of them, each with the same chance, the same each time (Vitter 1985, algorithm R)."""
    random, kept = Random(1), list[Record]()  # noqa: S311 - no secret
    for number, record in enumerate(records):
        if number < most:
            kept.append(record)
        elif (place := random.randrange(number + 1)) < most:
            kept[place] = record
    return kept


def _like(records: Iterable[Record], objective: str | None) -> Iterator[Record]:
    """A reference without what the range is without: shadows, and other objectives. Rows of tables have neither."""
    for record in records:
        if not record.get("shadow") and (objective is None or record.get("objective", objective) == objective):
            yield record


def _sample(connection: Any, where: str, most: int) -> Iterator[dict[str, Any]]:
    rows = f"SELECT {_FIELDS} FROM predictions WHERE {where}"
    sample = f"SELECT * FROM ({rows}) USING SAMPLE reservoir({most} ROWS) REPEATABLE (1)"
    cursor = connection.execute(f"SELECT CAST(to_json(r) AS VARCHAR) FROM ({sample}) r")
    while block := cursor.fetchmany(1024):
        yield from (orjson.loads(text) for (text,) in block)
