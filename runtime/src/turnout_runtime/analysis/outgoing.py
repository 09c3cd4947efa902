"""Tables of labels as rows of feedback, checked here as the endpoint checks them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.label_columns import Types, optional, table_of, time_of
from turnout_runtime.analysis.label_rows import LabelFile
from turnout_runtime.errors import InvalidFeedback, LogInvalid
from turnout_runtime.feedback.parse import Rows, parse
from turnout_runtime.feedback.send import Numbered
from turnout_runtime.offline.database import database
from turnout_runtime.offline.sql import quoted, rfc3339
from turnout_runtime.scratch import scratch

_BLOCK = 1024
_TRUTHS = {"true": 1, "false": 0}
_NAMES = ("prediction_id", "entity_id", "label", "reward", "time", "source")


class Outgoing:
    """The rows of a table of `count`; those that can't be sent are in `refused`, each with its number, from 1."""

    def __init__(self, connection: Any, file: LabelFile, table: str, source: str | None) -> None:
        self._connection, self._file, self._source = connection, file, source
        types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()}
        self._select = f"SELECT {', '.join(_columns(file, types))} FROM {table}"
        (self.count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        self.refused: list[tuple[int, str]] = []

    def rows(self) -> Iterator[Numbered]:
        """Those that can be sent, in order."""
        cursor, number = self._connection.execute(self._select), 0
        while block := cursor.fetchmany(_BLOCK):
            rows = [self._row(values) for values in block]
            wrong = dict(_faults(rows))
            for place, row in enumerate(rows):
                number += 1
                if place in wrong:
                    self.refused.append((number, wrong[place]))
                else:
                    yield Numbered(number, row)

    def _row(self, values: tuple[Any, ...]) -> Mapping[str, Any]:
        row = {name: value for name, value in zip(_NAMES, values, strict=True) if value is not None}
        if "label" in row:
            row["label"] = _label(row["label"], self._file.positive)
        if "reward" in row:
            row["reward"] = _number(row["reward"])
        if self._source is not None:
            row["source"] = self._source
        return row


@contextmanager
def outgoing(file: LabelFile, source: str | None) -> Iterator[Outgoing]:
    """The rows of the table at `file.uri`; `source` is who says so, unless there is a column of that name.

    Raises `LogInvalid`, or `BatchInvalid` for a table that is not there.
    """
    assert file.uri is not None
    with scratch() as folder, database(folder) as connection:
        yield Outgoing(connection, file, table_of(file.uri, Path(folder)), source)


def _columns(file: LabelFile, types: Types) -> Iterator[str]:
    """SQL: prediction_id, entity_id, label, reward, time and source as text, NULL where a row has none."""
    ids = None if file.by_entity else optional(types, file.id_column, "prediction_id")
    entities = optional(types, file.entity_column, "entity_id")
    label, reward = optional(types, file.label_column, "label"), optional(types, file.reward_column, "reward")
    time = optional(types, file.time_column, "time")
    if ids is None and (entities is None or time is None):
        raise LogInvalid(
            f"{file.uri}: no column prediction_id, nor entity_id and time; there are {', '.join(types)}:"
            " name them with --id-column, or --entity-column and --time-column"
        )
    if label is None and reward is None:
        raise LogInvalid(f"{file.uri}: no column label or reward: name one with --label-column or --reward-column")
    yield from map(_text, (ids, entities, label, reward))
    if time is None:
        yield "NULL"
    else:
        yield f"coalesce({rfc3339(time_of(time, types))}, {_text(time)})"  # text that is no time is refused by name
    yield _text("source" if "source" in types else None)


def _text(name: str | None) -> str:
    return "NULL" if name is None else f"nullif(trim(CAST({quoted(name)} AS VARCHAR)), '')"


def _label(text: str, positive: str | None) -> Any:
    """0 or 1, a number that will be refused, or a word."""
    if positive is not None:
        return int(text == positive)
    number = _TRUTHS.get(text.lower(), _number(text))
    return int(number) if number in (0, 1) else number


def _number(text: str) -> Any:
    """The number, or the text that is none."""
    try:
        return float(text)
    except ValueError:
        return text


def _faults(rows: list[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    try:
        for _ in parse(Rows(rows, listed=True)):
            pass
    except InvalidFeedback as error:
        yield from error.faults
