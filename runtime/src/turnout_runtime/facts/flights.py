"""Asks a source once for what several requests want at the same time, and remembers the answer."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from turnout_runtime.facts.memory import Memory
from turnout_runtime.facts.source import FactSource, Found, NoSuchKey, Scope
from turnout_runtime.facts.values import copier

_Waiter = asyncio.Future[Found]


class Flights:
    """A source with at most one fetch a key under way, each within `timeout` seconds of its own.

    A request that goes away leaves the fetch to others and to the memory. Counts those that `joined` another's fetch.
    """

    def __init__(self, source: FactSource, timeout: float, memory: Memory | None = None) -> None:
        self._source, self._timeout, self._memory = source, timeout, memory
        self._flights: dict[str, list[_Waiter]] = {}
        self.joined = 0

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        """See `FactSource.get`."""
        waiters = self._flights.get(key)
        if waiters is None:
            if scope.remaining() <= 0:  # nobody would wait for it
                raise TimeoutError
            waiters = []
            found = self._depart(key, scope, waiters)
            if found is not None:
                return found
        else:
            self.joined += 1
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        return waiter

    def refresh(self, key: str, scope: Scope) -> None:
        """Fetch anew for the memory, unless that is under way; nobody waits for it, and nobody learns of errors."""
        if key in self._flights:
            return
        own = Scope(scope.time_ns, lambda: self._timeout)
        with suppress(Exception):  # the wrapped source has told, and the entry is good for a while yet
            self._depart(key, own, [])

    def _depart(self, key: str, scope: Scope, waiters: list[_Waiter]) -> Found | None:
        try:
            found = self._source.get(key, scope)
        except NoSuchKey:
            self._remember(key, None)
            raise
        if isinstance(found, Found):
            self._remember(key, found)
            return found
        timer = found.get_loop().call_later(self._timeout, found.cancel)
        self._flights[key] = waiters

        def land(done: asyncio.Future[Found]) -> None:
            timer.cancel()
            del self._flights[key]
            self._land(key, done, [waiter for waiter in waiters if not waiter.done()])

        found.add_done_callback(land)
        return None

    def _land(self, key: str, done: asyncio.Future[Found], waiters: Sequence[_Waiter]) -> None:
        error = TimeoutError() if done.cancelled() else done.exception()
        if error is None:
            found = done.result()
            self._remember(key, found)
            _share(found, waiters)
            return
        if isinstance(error, NoSuchKey):
            self._remember(key, None)
        for waiter in waiters:
            waiter.set_exception(error)

    def _remember(self, key: str, found: Found | None) -> None:
        if self._memory is not None:
            self._memory.keep(key, found)


def _share(found: Found, waiters: Sequence[_Waiter]) -> None:
    """One's change of its value must not be seen by another."""
    if len(waiters) == 1:
        waiters[0].set_result(found)
        return
    copy = copier(found.value)
    for waiter in waiters:
        waiter.set_result(Found(copy(), found.as_of_ns))


class Cached:
    """Answers from memory what is fresh there, and fetches the rest. Counts background `refreshes`."""

    def __init__(self, flights: Flights, memory: Memory) -> None:
        self._flights, self.memory = flights, memory
        self.refreshes = 0

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        """See `FactSource.get`."""
        now = self.memory.clock()
        entry = self.memory.fresh(key, now)
        if entry is None:
            return self._flights.get(key, scope)
        if now >= entry.refresh_at:
            entry.refresh_at = entry.expires  # once: a failed one is not tried again before the value expires
            self.refreshes += 1
            self._flights.refresh(key, scope)
        if entry.copy is None:
            raise NoSuchKey(key)
        return Found(entry.copy(), entry.as_of_ns, "cache", now - entry.stored)
