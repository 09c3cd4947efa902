"""A row as a message: what is its key, and what tells that it came twice. Pure."""

import re
from typing import NamedTuple

import orjson

from turnout_runtime.ship.sink import Kind

_ID = "record_id"
_BEGIN = re.compile(rb'\{"schema_version":\d+,"prediction_id":"([!#-\[\]-~]+)"')  # how the runtime writes a record


class Message(NamedTuple):
    """The arguments of a producer; `value` is the row without its newline."""

    value: bytes
    key: bytes | None
    headers: list[tuple[str, str | bytes | None]]


def message(row: bytes, kind: Kind) -> Message:
    """The row's message.

    Its key is the prediction's id, so that what comes back to a prediction is in its partition; feedback that knows no
    prediction has its entity's. `record_id` in the headers is the same whenever the row is sent.
    """
    value = row.rstrip(b"\n")
    if kind == "predictions" and (found := _BEGIN.match(value)):
        return Message(value, found[1], [("kind", b"prediction"), (_ID, found[1])])
    fields = orjson.loads(value)
    prediction = fields.get("prediction_id")
    if kind == "predictions":
        return Message(value, _bytes(prediction), [("kind", b"prediction"), (_ID, _bytes(prediction))])
    key = prediction or fields.get("entity_id")
    return Message(value, _bytes(key), [("kind", b"feedback"), (_ID, _bytes(fields.get("feedback_id")))])


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
