"""Asks a source once for what several requests want at the same time, and remembers the answer.

This is on the way of every fact that is not cached, so it has one timer for all fetches and one callback for each.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from turnout_runtime.facts.breaker import Guard
from turnout_runtime.facts.memory import Memory
from turnout_runtime.facts.source import FactSource, Found, NoSuchKey, Scope
from turnout_runtime.facts.values import copier

_Waiter = asyncio.Future[Found]


class _Flight:
    """One fetch, and who waits for it; `deadline` is the loop's time."""

    __slots__ = ("deadline", "flights", "future", "key", "ticket", "waiters")

    def __init__(self, flights: "Flights", key: str, ticket: int, future: _Waiter, deadline: float) -> None:
        self.flights, self.key, self.ticket, self.future, self.deadline = flights, key, ticket, future, deadline
        self.waiters: list[_Waiter] = []

    def land(self, done: _Waiter) -> None:
        """The future's callback."""
        self.flights.land(self, TimeoutError() if done.cancelled() else done.exception())


class Flights:
    """A source with at most one fetch a key under way, each within `timeout` seconds of its own, if the guard lets it.

    A request that goes away leaves the fetch to others and to the memory. Counts those that `joined` another's fetch.
    """

    def __init__(self, source: FactSource, timeout: float, guard: Guard, memory: Memory | None = None) -> None:
        self._source, self._timeout, self._guard, self._memory = source, timeout, guard, memory
        self._flights: dict[str, _Flight] = {}  # the oldest first: the next to be out of time
        self._armed = False
        self.joined = 0

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        """See `FactSource.get`."""
        flight = self._flights.get(key)
        if flight is None:
            if scope.remaining() <= 0:  # nobody would wait for it
                raise TimeoutError
            found = self._depart(key, scope)
            if isinstance(found, Found):
                return found
            flight = found
        else:
            self.joined += 1
        waiter = flight.future.get_loop().create_future()
        flight.waiters.append(waiter)
        return waiter

    def refresh(self, key: str, scope: Scope) -> None:
        """Fetch anew for the memory, unless that is under way; nobody waits for it, and nobody learns of errors."""
        if key not in self._flights:
            with suppress(Exception):  # the guard has told, and the entry is good for a while yet
                self._depart(key, Scope(scope.time_ns, lambda: self._timeout))

    def _depart(self, key: str, scope: Scope) -> Found | _Flight:
        ticket = self._guard.admit()
        try:
            found = self._source.get(key, scope)
        except Exception as error:
            self._settled(key, ticket, None, error)
            raise
        if isinstance(found, Found):
            self._settled(key, ticket, found, None)
            return found
        loop = found.get_loop()
        flight = self._flights[key] = _Flight(self, key, ticket, found, loop.time() + self._timeout)
        if not self._armed:
            self._arm(loop, self._timeout)
        found.add_done_callback(flight.land)
        return flight

    def land(self, flight: _Flight, error: BaseException | None) -> None:
        """A fetch has ended, well or not, or its time is over."""
        if self._flights.get(flight.key) is not flight:
            return  # nobody has waited any longer
        del self._flights[flight.key]
        found = flight.future.result() if error is None else None
        self._settled(flight.key, flight.ticket, found, error)
        waiters = [waiter for waiter in flight.waiters if not waiter.done()]
        if found is not None:
            _share(found, waiters)
        elif error is not None:
            for waiter in waiters:
                waiter.set_exception(error)

    def _settled(self, key: str, ticket: int, found: Found | None, error: BaseException | None) -> None:
        self._guard.judge(ticket, error)
        if self._memory is not None and (error is None or isinstance(error, NoSuchKey)):
            self._memory.keep(key, found)

    def _arm(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._armed = True
        loop.call_later(delay, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = False
        now = loop.time()
        for flight in list(self._flights.values()):
            if flight.deadline > now:
                self._arm(loop, flight.deadline - now)
                return
            self.land(flight, TimeoutError())  # a source may take its time to end when it is cancelled
            flight.future.cancel()


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
