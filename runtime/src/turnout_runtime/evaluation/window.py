"""Which records count: a range of time, and simple conditions. Pure."""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout_runtime.analysis.places import Range
from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.records import Record, at
from turnout_runtime.times import rfc3339

_CONDITION = re.compile(r"([^=!<>]+)(!=|>=|<=|=|>|<)(.*)", re.S)
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`, the field as a path. What a record lacks is `null`, and neither less nor more."""

    path: tuple[str, ...]
    operator: str
    value: str

    def holds(self, record: Record) -> bool:
        """Whether it is true of a record. Numbers compare as numbers, all else as text."""
        found = at(record, self.path)
        if self.operator in ("=", "!="):
            return self._equal(found) == (self.operator == "=")
        wanted: float | str = self.value
        if isinstance(found, int | float) and not isinstance(found, bool):
            if (number := _number(self.value)) is None:
                return False
            wanted = number
        elif not isinstance(found, str):
            return False
        return _ORDERS[self.operator](found, wanted)

    def _equal(self, found: Any) -> bool:
        if isinstance(found, int | float) and not isinstance(found, bool):
            return _number(self.value) == found
        return text_of(found) == self.value


@dataclass(frozen=True, slots=True)
class Window:
    """Records from `since` on and before `until`, both as the log writes times, that meet all conditions.

    Copies that the gateway made of requests (shadows) do not count, since their originals are there, unless a condition
    is about them.
    """

    since: str | None = None
    until: str | None = None
    conditions: tuple[Condition, ...] = ()

    def of(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records that count."""
        for record in records:
            if self._holds(record):
                yield record

    def _holds(self, record: Record) -> bool:
        if record.get("shadow") and not any(condition.path == ("shadow",) for condition in self.conditions):
            return False
        time = record.get("time") or ""
        if (self.since is not None and time < self.since) or (self.until is not None and time >= self.until):
            return False
        return all(condition.holds(record) for condition in self.conditions)


def window(during: Range, where: Sequence[str]) -> Window:
    """The window that options describe; raises `EvaluationInvalid` that says how a condition is written."""
    since, until = (None if moment is None else rfc3339(moment) for moment in (during.since, during.until))
    return Window(since, until, tuple(map(condition, where)))


def condition(text: str) -> Condition:
    """`arm=stable`, `context.distance>=500` and the like; raises `EvaluationInvalid`."""
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise EvaluationInvalid(f"--where {text!r}: write FIELD=VALUE (or != < > <= >=), such as context.carrier=UA")
    return Condition(tuple(match[1].strip().split(".")), match[2], match[3].strip())


def text_of(value: Any) -> str:
    """A value as a condition and a table write it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
