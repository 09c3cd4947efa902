"""The interface between a request and the places that facts come from."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

Value: TypeAlias = dict[str, Any]
Origin: TypeAlias = Literal["live", "cache", "stale", "fallback", "caller", "missing"]
ORIGINS: tuple[Origin, ...] = ("live", "cache", "stale", "fallback", "caller", "missing")


class NoSuchKey(Exception):
    """The source answered, and has nothing under this key."""


class BadValue(Exception):
    """The source answered, and what it has under this key is no fact. The text may be logged."""


class SourceFailed(Exception):
    """The source does not do its work. The text may be logged: it holds no key, value or secret."""


class BreakerOpen(Exception):
    """The source failed so often that it is left alone for a while."""


@dataclass(slots=True)
class Scope:
    """What a source may know of the request that asks.

    `time_ns` is its time in nanoseconds since 1970 (offline: the row's), `remaining()` the seconds that are left for
    facts, `caller` the request's feature_refs; the traces are W3C headers to pass on.
    """

    time_ns: int
    remaining: Callable[[], float]
    traceparent: str | None = None
    caller: Mapping[str, Any] = field(default_factory=dict)
    tracestate: str | None = None


@dataclass(slots=True)
class Found:
    """A value; `as_of_ns` is when it was observed (nanoseconds since 1970), where the source knows.

    `stored_for` is the time in seconds that a cached or stale value was kept. The value belongs to whoever gets it.
    """

    value: Value
    as_of_ns: int | None = None
    origin: Origin = "live"
    stored_for: float | None = None


class FactSource(Protocol):
    """Where one kind of fact comes from."""

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        """What is under a key, at once or later; cancelling the future abandons the wish.

        `NoSuchKey`, raised or in the future, when there is nothing; any other exception when it cannot be had.
        """
