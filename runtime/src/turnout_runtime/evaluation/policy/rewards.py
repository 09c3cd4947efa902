"""Rewards by prediction id, and what a model of them predicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.labels import LabelFile, load_labels
from turnout_runtime.analysis.places import Range
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.tables import table_rows
from turnout_runtime.scratch import scratch

_PREDICTED = "predicted_"


@dataclass(frozen=True, slots=True)
class Rewards:
    """Rewards by prediction id; `predicted` has by action what a model expects, under the same ids, or is empty."""

    by_id: dict[str, float]
    predicted: dict[str, dict[str, float]]


def read_rewards(path: Path, column: str | None = None) -> Rewards:
    """A table's rewards: columns prediction_id, reward (or label, or `column`), and perhaps predicted_<action>.

    Booleans are 1 and 0; rows without a reward are passed over; of several of one prediction the last counts. Raises
    `EvaluationInvalid` naming the column.
    """
    if not path.is_file():
        raise EvaluationInvalid(f"--rewards {path}: no such file")
    rewards: dict[str, float] = {}
    predicted: dict[str, dict[str, float]] = {}
    for number, row in enumerate(table_rows(path), 1):
        if number == 1:
            column = _column(path, row, column)
            for name in row:
                if name.startswith(_PREDICTED):
                    predicted[name.removeprefix(_PREDICTED)] = {}
        assert column is not None
        if row["prediction_id"] is None or row[column] is None:
            continue
        key = str(row["prediction_id"])
        rewards[key] = _number(row[column], path, number, column)
        for action, values in predicted.items():
            values[key] = _number(row[_PREDICTED + action], path, number, _PREDICTED + action)
    return Rewards(rewards, predicted)


def rewards_in_log(places: Sequence[str | Path], during: Range, column: str | None = None) -> Rewards:
    """Those that came back to the log as feedback: the column `reward` or `label`, by default the one that is there.

    Raises `EvaluationInvalid` for another column, and `LogInvalid` where there is no feedback.
    """
    if column not in (None, "reward", "label"):
        raise EvaluationInvalid(f"--reward: feedback has reward and label, and no {column!r}")
    source = LogSource(places, during)
    with scratch() as folder, database() as connection:
        source.view(connection)
        load_labels(connection, source, LabelFile(None), folder)
        rows = connection.execute("SELECT key, label, reward FROM labels").fetchall()
    labels, rewards = ({row[0]: row[place] for row in rows if row[place] is not None} for place in (1, 2))
    return Rewards(labels if column == "label" or (column is None and not rewards) else rewards, {})


def _column(path: Path, row: Mapping[str, Any], named: str | None) -> str:
    column = named or next((name for name in ("reward", "label") if name in row), "reward")
    for name in ("prediction_id", column):
        if name not in row:
            raise EvaluationInvalid(f"{path} has no column {name!r}; there are {', '.join(row)}: --reward names it")
    return column


def _number(value: Any, path: Path, row: int, column: str) -> float:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise EvaluationInvalid(f"{path}: row {row}: {column} is {value!r}, no number: correct it, or leave the row out")
