"""Feedback as callers send it, parsed by hand: errors name row and field, and rows come by the thousand. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from turnout_runtime.errors import InvalidFeedback, InvalidRequest
from turnout_runtime.text import encodable

MAX_ROWS = 1000
MAX_TEXT = 256  # characters
_LIST = "feedback"
SLICE = 32
"""Rows that are parsed at once: some 0.1 ms of work."""
_YEARS_END = 253_402_300_800  # seconds since 1970 at which the year 10000 begins
_NUMBERS = (int, float)


class Outcome(NamedTuple):
    """What came of one prediction: of the one with this id, else of the newest one for the entity before `time`.

    `label` is 0, 1 or a word; `reward` a finite number in the caller's own unit; `time` when that became known, as
    RFC 3339 in UTC with microseconds; `source` is who says so.
    """

    prediction_id: str | None
    entity_id: str | None
    label: int | str | None
    reward: float | None
    time: str | None
    source: str | None


FIELDS = Outcome._fields
_FIELDS = frozenset(FIELDS)


class _Wrong(Exception):  # what it is about one row
    pass


class Rows(NamedTuple):
    """Rows as they came; whether they came in a list, so that faults say in which of them they are."""

    rows: Sequence[Any]
    listed: bool


def rows_of(body: bytes) -> Rows:
    """The rows of a body, not looked at yet: those of `{"feedback": […]}`, or the one that the body is.

    Raises `InvalidRequest` for what is neither.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest("the body is not a JSON object")
    if _LIST not in document:
        return Rows([document], listed=False)
    if len(document) > 1:
        other = min(document.keys() - {_LIST})
        raise InvalidRequest(f"{other[:64]}: stands beside {_LIST}: each row has its own fields")
    rows = document[_LIST]
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_ROWS:
        raise InvalidRequest(f"{_LIST}: must be a list of 1 to {MAX_ROWS:,} objects")
    return Rows(rows, listed=True)


def parse(came: Rows) -> Iterator[list[Outcome]]:
    """The outcomes in slices, for who has other work between them; at last raises `InvalidFeedback` for all faults."""
    rows, faults = came.rows, list[tuple[int, str]]()
    for start in range(0, len(rows), SLICE):
        found = []
        for number, row in enumerate(rows[start : start + SLICE], start):
            try:
                found.append(_outcome(row))
            except _Wrong as wrong:
                faults.append((number, str(wrong)))
        yield found
    if faults:
        raise InvalidFeedback(faults, _LIST if came.listed else None)


def _outcome(row: Any) -> Outcome:
    if not isinstance(row, dict):
        raise _Wrong("must be a JSON object")
    if not row.keys() <= _FIELDS:
        unknown = min(row.keys() - _FIELDS)
        raise _Wrong(f"{unknown[:64]}: no such field; there are {', '.join(FIELDS)}")
    get = row.get
    outcome = Outcome(
        _text(row, "prediction_id"),
        _text(row, "entity_id"),
        _label(get("label")),
        _reward(get("reward")),
        _time(get("time")),
        _text(row, "source"),
    )
    if outcome.prediction_id is None:
        if outcome.entity_id is None:
            raise _Wrong("prediction_id: is missing; or give entity_id and time")
        if outcome.time is None:
            raise _Wrong("time: is missing: by entity_id, a label is of the newest answer before its time")
    if outcome.label is None and outcome.reward is None:
        raise _Wrong("label: is missing, and so is reward: give one or both")
    return outcome


def _text(row: Mapping[str, Any], field: str) -> str | None:
    value = row.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not encodable(value):
        raise _Wrong(f"{field}: must be a string of 1 to {MAX_TEXT} characters")
    return value


def _label(value: Any) -> int | str | None:
    if value is None:
        return None
    if isinstance(value, _NUMBERS):  # bool, too
        if value in (0, 1):
            return int(value)
        raise _Wrong("label: a number must be 0 or 1; others go into reward")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not encodable(value):
        raise _Wrong(f"label: must be 0, 1, true, false, or a string of 1 to {MAX_TEXT} characters")
    return value


def _reward(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise _Wrong("reward: must be a number")
    number = float(value)
    if not math.isfinite(number):
        raise _Wrong("reward: must be finite")
    return number


def _time(value: Any) -> str | None:
    """RFC 3339, without an offset in UTC; or seconds since 1970."""
    if value is None:
        return None
    try:
        moment = datetime.fromtimestamp(value, UTC) if _seconds(value) else datetime.fromisoformat(value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _Wrong("time: must be RFC 3339, such as 2026-01-31T12:00:00Z, or seconds since 1970") from None
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _seconds(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return False
    if not 0 <= value < _YEARS_END:
        raise ValueError
    return True
