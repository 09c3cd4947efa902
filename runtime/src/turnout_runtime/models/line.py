"""Rows that wait in line: for company, as long as they may be held, or for a model that is busy."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from turnout_runtime.models.costs import Costs
from turnout_runtime.models.plan import plan
from turnout_runtime.models.waiting import Waiting

_SWEEP = 1024  # rows
_REST = 0.010  # seconds
_LOOK = 16  # runs


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the line's owner does: `begin` starts a batch and says whether that takes a slot until `release`;
    `give_up` tells a row that it will not be answered in time; `drained` hears that nobody waits and nothing runs.
    """

    begin: Callable[[list[Waiting]], bool]
    give_up: Callable[[Waiting], None]
    drained: Callable[[], None]


class Line:
    """First come, first served, in batches that `costs` say are worth it, `max_size` rows at most.

    `exact` leaves their size to `max_size` alone.
    """

    def __init__(self, max_size: int, slots: int, costs: Costs, hooks: Hooks, *, exact: bool = False) -> None:
        self._max_size, self._slots, self._free = max_size, slots, slots
        self._costs, self._hooks, self._exact = costs, hooks, exact
        self._rows: list[Waiting] = []
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = 0.0
        self._sweep_at = _SWEEP
        self._runs = 1
        self._rested_at = 0.0

    @property
    def waiting(self) -> int:
        """Rows that somebody still wants."""
        return sum(not row[1].done() for row in self._rows)

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nothing runs."""
        return not self._rows and self._free == self._slots

    def put(self, loop: asyncio.AbstractEventLoop, row: Waiting) -> None:
        """Add a row; a batch begins when it is full, or when the first of its rows may be held no longer."""
        self._rows.append(row)
        if len(self._rows) > self._sweep_at:  # behind a model that hangs, rows that were given up would pile up
            self._rows = [row for row in self._rows if not row[1].done()]
            self._sweep_at = max(_SWEEP, 2 * len(self._rows))
        if self._free:
            self._wake(loop, 0.0 if len(self._rows) >= self._most() else row[2])

    def release(self, seconds: float) -> None:
        """A slot is free again, after a run of so many seconds."""
        self._free += 1
        self._rest(asyncio.get_running_loop().time(), seconds)
        self.advance()

    def advance(self) -> None:
        """Begin the batches that are due, as far as there are slots; after one on the loop others have a turn first."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        loop = asyncio.get_running_loop()
        while self._free and self._due(loop) and (batch := self._next(loop.time())):
            self._runs += 1
            if self._hooks.begin(batch):
                self._free -= 1
            elif self._rows:
                self._wake(loop, 0.0)
                return
        if self.idle:
            self._hooks.drained()

    def _due(self, loop: asyncio.AbstractEventLoop) -> bool:
        rows = self._rows = [row for row in self._rows if not row[1].done()]
        if rows and len(rows) < self._most() and (due := min(row[2] for row in rows)) > loop.time():
            self._wake(loop, due)
            return False
        return bool(rows)

    def _next(self, now: float) -> list[Waiting]:
        """The batch to begin, its rows out of the line; those that would be late are told at once."""
        probe = self._free == self._slots and now >= self._rested_at
        chosen = plan(self._rows, now, self._most(), self._costs, slots=self._slots, probe=probe)
        self._rows = chosen.rest
        for row in chosen.late:
            self._hooks.give_up(row)
        if chosen.take:
            self._rest(now, 0.0)
        return chosen.take

    def _most(self) -> int:
        """Rows of a full batch. Now and then twice what pays, or it would never show that more has come to pay."""
        if self._exact:
            return self._max_size
        pays = self._costs.pays(self._max_size)
        return pays if self._runs % _LOOK else min(2 * pays, self._max_size)

    def _rest(self, now: float, seconds: float) -> None:
        """Until when rows that have no hope are refused instead of tried: half of the time at most goes to those."""
        self._rested_at = now + max(_REST, seconds)

    def _wake(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._alarm is not None:
            if self._alarm_at <= when:
                return
            self._alarm.cancel()
        self._alarm_at = when
        now = when <= loop.time()
        self._alarm = loop.call_soon(self.advance) if now else loop.call_at(when, self.advance)
