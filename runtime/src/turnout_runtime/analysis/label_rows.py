"""Rows that say what came of predictions, from a table or from the log's own feedback, in one form: SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from turnout_runtime.analysis.label_columns import (
    check_numbers,
    column,
    label_of,
    number_of,
    optional,
    table_of,
    time_of,
)
from turnout_runtime.analysis.source import FEEDBACK
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import quoted


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Where labels are, what the columns are called (None: the usual name, if it is there), and what counts.

    Without a `uri` they are the log's own feedback; that is added to those of a `uri`, too, where `feedback` says so.
    `positive` is the value that means 1 where labels are words. `window` is the longest time in seconds from a
    prediction to its label; labels later than `as_of` are not known yet.
    """

    uri: str | None
    by_entity: bool = False
    id_column: str | None = None
    entity_column: str | None = None
    time_column: str | None = None
    label_column: str | None = None
    reward_column: str | None = None
    positive: str | None = None
    window: float | None = None
    as_of: datetime | None = None
    feedback: bool = True


class Said(NamedTuple):
    """A relation (key, objective, moment, label, reward) of `rows` rows, some of which may be incomplete.

    `key` is a prediction's id, or an entity's: `ids` and `entities` are the conditions for each. By entity a row is
    about its objective, where that is not NULL.
    """

    relation: str
    rows: str
    ids: str
    entities: str
    timed: bool
    """Whether a row without a moment is incomplete."""


def said_in_file(connection: Any, file: LabelFile, uri: str, scratch: Path) -> Said:
    """The rows of the table at `uri`; raises `LogInvalid`, or `BatchInvalid` for one that is not there."""
    table = table_of(uri, scratch)
    types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()}
    key = column(types, file.entity_column, "entity_id") if file.by_entity else column(
        types, file.id_column, "prediction_id")  # fmt: skip
    label, reward = optional(types, file.label_column, "label"), optional(types, file.reward_column, "reward")
    time = optional(types, file.time_column, "time")
    if label is None and reward is None:
        raise LogInvalid(f"{uri}: no column label or reward: name one with --label-column or --reward-column")
    timed = file.by_entity or file.as_of is not None or file.window is not None
    if time is None and timed:
        raise LogInvalid(f"{uri}: no column time: name the labels' own time with --time-column")
    if label is not None:
        check_numbers(connection, table, label, types, file.positive)
    columns = (
        f"CAST({quoted(key)} AS VARCHAR) AS key",
        "CAST(NULL AS VARCHAR) AS objective",
        f"{time_of(time, types) if time else 'CAST(NULL AS TIMESTAMPTZ)'} AS moment",
        f"{label_of(label, types, file.positive)} AS label",
        f"{number_of(reward, types)} AS reward",
    )
    ids, entities = ("false", "true") if file.by_entity else ("true", "false")
    return Said(_select(columns, table), table, ids, entities, timed)


def said_in_feedback(connection: Any, file: LabelFile) -> Said:
    """The log's own, of the view `feedback`; what has no time of its own is known since it was received."""
    types = {"label": "VARCHAR", "reward": "DOUBLE"}
    check_numbers(connection, FEEDBACK, "label", types, file.positive)
    columns = (
        "coalesce(prediction_id, entity_id) AS key",
        "objective",
        "prediction_id IS NULL AS of_entity",
        "coalesce(time, received) AS moment",
        f"{label_of('label', types, file.positive)} AS label",
        f"{number_of('reward', types)} AS reward",
    )
    return Said(_select(columns, FEEDBACK), FEEDBACK, "NOT of_entity", "of_entity", timed=True)


ANSWERED = (
    "SELECT entity_id, objective, time, prediction_id FROM predictions"
    " WHERE NOT coalesce(shadow, false) AND status = 'ok'"
)
"""SQL: the live answers that outcomes of entities may be about."""


def of_newest(rows: str, answers: str, objective: bool) -> str:
    """SQL: the rows with the id of the newest of the answers to their entity before them as the key, NULL for none.

    With `objective` that of their own objective.
    """
    same = " AND s.objective = p.objective" if objective else ""
    return (
        f"SELECT p.prediction_id AS key, s.moment, s.label, s.reward FROM ({rows}) s"
        f" ASOF LEFT JOIN ({answers}) p ON s.key = p.entity_id{same} AND s.moment >= p.time"
    )


def _select(columns: Sequence[str], table: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {table}"
