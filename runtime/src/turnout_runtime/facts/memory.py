"""Remembers facts for a while. Pure: no loop, no network, and the clock is given."""

import time
from collections import OrderedDict
from collections.abc import Callable

from turnout_runtime.facts.source import Found, Value
from turnout_runtime.facts.values import copier

_REFRESH = 0.8  # of the ttl: a hit after this fetches anew in the background, so that what is in use never expires

_LONGEST = 1024  # characters of a key that is remembered: keys are made of what callers send


class Entry:
    """One remembered value, or (`copy` is None) that there is none. Times are the clock's."""

    __slots__ = ("as_of_ns", "copy", "expires", "refresh_at", "stored")

    def __init__(self, copy: Callable[[], Value] | None, as_of_ns: int | None, stored: float, ttl: float) -> None:
        self.copy, self.as_of_ns, self.stored = copy, as_of_ns, stored
        self.expires = stored + ttl
        self.refresh_at = stored + ttl * _REFRESH


class Memory:
    """At most `max_entries` values, the longest unused dropped first: fresh for `ttl`, then stale for `stale` more.

    Counts the values that were `evicted` for want of room.
    """

    __slots__ = ("_entries", "_max_entries", "_stale", "_ttl", "clock", "evicted")

    def __init__(self, ttl: float, stale: float, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Times in seconds."""
        self._ttl, self._stale, self._max_entries, self.clock = ttl, stale, max_entries, clock
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def fresh(self, key: str, now: float) -> Entry | None:
        """What is remembered under a key and not older than its time to live."""
        entry = self._entries.get(key)
        if entry is None or now >= entry.expires:
            return None
        self._entries.move_to_end(key)
        return entry

    def stale(self, key: str) -> Found | None:
        """The last value under a key, where it may still stand in for one that cannot be had."""
        entry, now = self._entries.get(key), self.clock()
        if entry is None or entry.copy is None or now >= entry.expires + self._stale:
            return None
        return Found(entry.copy(), entry.as_of_ns, "stale", now - entry.stored)

    def keep(self, key: str, found: Found | None) -> None:
        """Remember what was found, or that there is nothing under this key."""
        if len(key) > _LONGEST:
            return
        copy, as_of_ns = (None, None) if found is None else (copier(found.value), found.as_of_ns)
        self._entries[key] = Entry(copy, as_of_ns, self.clock(), self._ttl)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
            self.evicted += 1
