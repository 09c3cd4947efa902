"""A bounded mapping whose entries all live equally long."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Aging(Generic[V]):
    """Keeps at most `max_entries` values for `lifetime` seconds; the oldest go first.

    Since all live equally long, the order of insertion is the order of expiry, and forgetting costs nothing.
    """

    def __init__(self, lifetime: float, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetime, self._max_entries, self._clock = lifetime, max_entries, clock
        self._entries: dict[Hashable, tuple[V, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> tuple[V, float] | None:
        """The value and its age in seconds, None when there is none or it is too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        age = self._clock() - entry[1]
        return (entry[0], age) if age <= self._lifetime else None

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value from now on; forgets what is too old or too much."""
        now, entries = self._clock(), self._entries
        entries.pop(key, None)
        entries[key] = value, now
        while (oldest := next(iter(entries))) != key and (
            len(entries) > self._max_entries or now - entries[oldest][1] > self._lifetime
        ):
            del entries[oldest]
