"""Delayed labels and rewards as tables: read, cleaned, and one for each prediction.

A label belongs to a prediction by its id, or by entity and time: then it is that of the newest answer to its entity
before it. Of several labels of one prediction the newest counts (a correction); several of the same time that differ
are a conflict, and none of them counts.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.database import one
from turnout_runtime.analysis.label_columns import (
    check_numbers,
    column,
    label_of,
    number_of,
    optional,
    table_of,
    time_of,
)
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import quoted

TABLE = "labels"
_SAID = "said"


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Where labels are, what the columns are called (None: the usual name, if it is there), and what counts.

    `positive` is the value that means 1 where labels are words. `window` is the longest time in seconds from a
    prediction to its label; labels later than `as_of` are not known yet.
    """

    uri: str
    by_entity: bool = False
    id_column: str | None = None
    entity_column: str | None = None
    time_column: str | None = None
    label_column: str | None = None
    reward_column: str | None = None
    positive: str | None = None
    window: float | None = None
    as_of: datetime | None = None


@dataclass(slots=True)
class LabelCounts:
    """What became of the rows of a label file: `rows` are those of the others and `used`."""

    rows: int = 0
    incomplete: int = 0
    """without a key, a value, or (where one is needed) a readable time"""
    later: int = 0
    """after `as_of`"""
    duplicates: int = 0
    """say again what another row says"""
    corrected: int = 0
    """overruled by a newer one of the same prediction"""
    conflicts: int = 0
    """differ from another one of the same prediction and time"""
    unknown: int = 0
    """of predictions that are not in this log"""
    early: int = 0
    """older than their prediction: no label is known before the decision"""
    overdue: int = 0
    """outside of the window"""
    used: int = 0

    def told(self) -> list[tuple[str, int]]:
        """What there is of each, in words."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, count) for name, count in pairs if count or name in ("rows", "used")]


def load_labels(connection: Any, file: LabelFile, scratch: Path) -> LabelCounts:
    """Make the table `labels` (key, moment, label, reward, n): one row a prediction id, which may be in no log.

    By entity it needs the view `predictions`. Raises `LogInvalid`, or `BatchInvalid` for a file that is not there.
    """
    counts = LabelCounts()
    _read(connection, file, scratch, counts)
    if file.by_entity:
        _find_predictions(connection, counts)
    _resolve(connection, counts)
    return counts


def _read(connection: Any, file: LabelFile, scratch: Path, counts: LabelCounts) -> None:
    """The table `said` (key, moment, label, reward): rows that say something, and are known by now."""
    table = table_of(file.uri, scratch)
    types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()}
    key = column(types, file.entity_column, "entity_id") if file.by_entity else column(
        types, file.id_column, "prediction_id")  # fmt: skip
    label, reward = optional(types, file.label_column, "label"), optional(types, file.reward_column, "reward")
    time = optional(types, file.time_column, "time")
    if label is None and reward is None:
        raise LogInvalid(f"{file.uri}: no column label or reward: name one with --label-column or --reward-column")
    needs_time = file.by_entity or file.as_of is not None or file.window is not None
    if time is None and needs_time:
        raise LogInvalid(f"{file.uri}: no column time: name the labels' own time with --time-column")
    at = time_of(time, types) if time else "CAST(NULL AS TIMESTAMPTZ)"
    if label is not None:
        check_numbers(connection, table, label, types, file.positive)
    columns = f"CAST({quoted(key)} AS VARCHAR) AS key, {at} AS moment, {label_of(label, types, file.positive)} AS label"
    rows = f"SELECT {columns}, {number_of(reward, types)} AS reward FROM {table}"
    whole = f"key IS NOT NULL AND coalesce(label, reward) IS NOT NULL{' AND moment IS NOT NULL' if needs_time else ''}"
    known = "moment <= $1::TIMESTAMPTZ" if file.as_of else "true"
    parameters = [file.as_of.isoformat()] if file.as_of else []
    connection.execute(
        f"CREATE TEMP TABLE {_SAID} AS SELECT *, {known} AS known FROM ({rows}) WHERE {whole}", parameters
    )
    there, counts.later = one(connection, f"SELECT count(*), count(*) FILTER (NOT known) FROM {_SAID}")
    (counts.rows,) = one(connection, f"SELECT count(*) FROM {table}")
    counts.incomplete = counts.rows - there
    if counts.later:
        connection.execute(f"DELETE FROM {_SAID} WHERE NOT known")


def _find_predictions(connection: Any, counts: LabelCounts) -> None:
    """Replace entities by the ids of the newest live answer before each label."""
    answers = (
        "SELECT entity_id, time, prediction_id FROM predictions WHERE NOT coalesce(shadow, false) AND status = 'ok'"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_SAID} AS SELECT p.prediction_id AS key, s.moment, s.label, s.reward"
        f" FROM {_SAID} s ASOF LEFT JOIN ({answers}) p ON s.key = p.entity_id AND s.moment >= p.time"
    )
    (counts.unknown,) = one(connection, f"SELECT count(*) FROM {_SAID} WHERE key IS NULL")
    connection.execute(f"DELETE FROM {_SAID} WHERE key IS NULL")


def _resolve(connection: Any, counts: LabelCounts) -> None:
    """One row a key."""
    rows, keys = one(connection, f"SELECT count(*), count(DISTINCT key) FROM {_SAID}")
    if rows == keys:
        connection.execute(f"CREATE TEMP TABLE {TABLE} AS SELECT key, moment, label, reward, rowid AS n FROM {_SAID}")
        return
    distinct = f"SELECT DISTINCT key, moment, label, reward FROM {_SAID}"
    age, same = (
        "rank() OVER (PARTITION BY key ORDER BY moment DESC NULLS LAST)",
        "count(*) OVER (PARTITION BY key, moment)",
    )
    connection.execute(f"CREATE TEMP TABLE ranked AS SELECT *, {age} AS age, {same} AS same FROM ({distinct})")
    different, counts.corrected, counts.conflicts = one(
        connection,
        "SELECT count(*), count(*) FILTER (age > 1), count(*) FILTER (age = 1 AND same > 1) FROM ranked",
    )
    counts.duplicates = rows - different
    connection.execute(
        f"CREATE TEMP TABLE {TABLE} AS SELECT key, moment, label, reward, rowid AS n FROM ranked"
        " WHERE age = 1 AND same = 1"
    )
    connection.execute("DROP TABLE ranked")
