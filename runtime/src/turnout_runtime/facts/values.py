"""Values: read from bytes, dated, and copied. Pure."""

import marshal
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import orjson

from turnout_runtime.facts.source import BadValue, Found, Value

MAX_BYTES = 1024**2  # parsing more than this would hold up every other request
_SCALARS = frozenset({str, int, float, bool, type(None)})


class Decoder:
    """Turns the bytes that a store holds into a fact.

    `json`: an object. `float32`: packed little-endian numbers; the fact is `{"vector": [...]}`. `timestamp_field`
    names the field that says when the value was observed.
    """

    def __init__(self, encoding: Literal["json", "float32"] = "json", timestamp_field: str | None = None) -> None:
        self._read = _json if encoding == "json" else _vector
        self._timestamp_field = timestamp_field

    def __call__(self, raw: bytes) -> Found:
        """The fact; raises `BadValue`."""
        if len(raw) > MAX_BYTES:
            raise BadValue(f"larger than {MAX_BYTES} bytes")
        return dated(self._read(raw), self._timestamp_field)


def _json(raw: bytes) -> Value:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadValue("not JSON") from None
    if not isinstance(value, dict):
        raise BadValue("no JSON object")
    return value


def _vector(raw: bytes) -> Value:
    import numpy as np

    if not raw or len(raw) % 4:
        raise BadValue(f"{len(raw)} bytes are no vector of float32")
    return {"vector": np.frombuffer(raw, "<f4").tolist()}  # a list, as from a caller or as a declared fallback


def dated(value: Value, timestamp_field: str | None) -> Found:
    """The value with the time that its own field says; without one where the field is absent or odd."""
    return Found(value, None if timestamp_field is None else observed_ns(value.get(timestamp_field)))


def observed_ns(when: object) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 text (UTC where it has no zone) or of seconds since 1970; None else."""
    try:
        if isinstance(when, str):
            moment = datetime.fromisoformat(when)
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000
        if isinstance(when, int | float) and not isinstance(when, bool):
            return int(when * 1e9)
    except (ValueError, OverflowError):
        return None
    return None


def copier(value: Value) -> Callable[[], Value]:
    """A function that makes fresh copies of a value, whatever happens to the value later; quick for flat ones."""
    if set(map(type, value.values())) <= _SCALARS:
        return value.copy().copy
    if _plain(value):
        return partial(_loads, marshal.dumps(value))
    return partial(deepcopy, deepcopy(value))  # more than JSON can hold, from a plug-in


def copied(value: Value) -> Value:
    """A fresh copy of a value, for a workflow to keep and to change."""
    if set(map(type, value.values())) <= _SCALARS:
        return value.copy()
    return _loads(marshal.dumps(value)) if _plain(value) else deepcopy(value)


def _plain(part: object) -> bool:
    """Whether it is JSON; marshal would silently turn an array into bytes."""
    if type(part) is list:
        return set(map(type, part)) <= _SCALARS or all(map(_plain, part))
    if type(part) is dict:
        return set(map(type, part)) <= _SCALARS and all(map(_plain, part.values()))
    return type(part) in _SCALARS


def _loads(packed: bytes) -> Value:
    return marshal.loads(packed)  # type: ignore[no-any-return]  # noqa: S302 - what this process packed itself
