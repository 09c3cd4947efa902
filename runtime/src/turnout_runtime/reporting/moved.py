"""What of a report shows drift: a sample of the range against a reference, column by column."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from turnout_runtime.analysis.database import database, one
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.evaluation.drift.columns import columns
from turnout_runtime.evaluation.drift.compare import Shift, compare
from turnout_runtime.evaluation.drift.reference import reference
from turnout_runtime.offline.sql import literal

SAMPLE = 50_000
_FIELDS = "epoch_us(time) / 1e6 AS t, score, decision, features, context"


@dataclass(frozen=True, slots=True)
class Moved:
    """Columns, those that moved most first; `against` says in words what the reference is."""

    shifts: Sequence[Shift]
    against: str


def moved(source: LogSource, objective: str | None, place: str | None, middle: float) -> Moved:
    """Against the log or table at `place`, or of the second half of the range (from `middle` on) against the first."""
    where = "NOT coalesce(shadow, false)" + ("" if objective is None else f" AND objective = {literal(objective)}")
    rate = "coalesce(sample_rate, 1)"
    with database() as connection:
        source.view(connection, {"features": "JSON"} if source.segmented else {})  # text is quicker read than a map
        (least,) = one(connection, f"SELECT min({rate}) FROM predictions WHERE {where}")
        if least is not None and least < 1:  # records kept at a higher rate are thinned out, as for drift
            where += f" AND hash(prediction_id) / 2.0**64 < {least} / {rate}"
        rows = list(_sample(connection, where, SAMPLE if place else 2 * SAMPLE))
    if place is not None:
        return Moved(compare(columns(islice(reference(place), SAMPLE)), columns(rows)), place)
    before, now = ([row for row in rows if (row["t"] >= middle) is late] for late in (False, True))
    return Moved(compare(columns(before), columns(now)), "the first half of this range")


def _sample(connection: Any, where: str, most: int) -> Iterator[dict[str, Any]]:
    rows = f"SELECT {_FIELDS} FROM predictions WHERE {where}"
    sample = f"SELECT * FROM ({rows}) USING SAMPLE reservoir({most} ROWS) REPEATABLE (1)"
    cursor = connection.execute(f"SELECT CAST(to_json(r) AS VARCHAR) FROM ({sample}) r")
    while block := cursor.fetchmany(1024):
        yield from (orjson.loads(text) for (text,) in block)
