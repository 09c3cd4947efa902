"""Rows that wait in line: for company, as long as they may be held, or for a model that is busy."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from turnout_runtime.workflow.features import Row

Waiting: TypeAlias = "tuple[Row, asyncio.Future[float], float, float | None, asyncio.TimerHandle | None]"
"""A row, its answer, until when it may be held, its deadline (both in the loop's time), and the deadline's timer."""

_SWEEP = 1024  # rows


class Line:
    """First come, first served; `begin` gets at most `max_size` rows at a time and says whether that takes a slot."""

    def __init__(self, max_size: int, slots: int, begin: Callable[[list[Waiting]], bool]) -> None:
        self._max_size, self._free, self._begin = max_size, slots, begin
        self._rows: list[Waiting] = []
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = 0.0
        self._sweep_at = _SWEEP

    @property
    def waiting(self) -> int:
        """Rows that somebody still wants."""
        return sum(not row[1].done() for row in self._rows)

    def put(self, loop: asyncio.AbstractEventLoop, row: Waiting) -> None:
        """Add a row; a batch begins when it is full, or when the first of its rows may be held no longer."""
        self._rows.append(row)
        if len(self._rows) > self._sweep_at:  # behind a model that hangs, rows that were given up would pile up
            self._rows = [row for row in self._rows if not row[1].done()]
            self._sweep_at = max(_SWEEP, 2 * len(self._rows))
        if self._free:
            self._wake(loop, 0.0 if len(self._rows) >= self._max_size else row[2])

    def release(self) -> None:
        """A slot is free again."""
        self._free += 1
        self.advance()

    def advance(self) -> None:
        """Begin all batches that are due, as far as there are slots."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._rows and self._free:
            loop = asyncio.get_running_loop()
            if len(self._rows) < self._max_size and (due := min(row[2] for row in self._rows)) > loop.time():
                self._wake(loop, due)
                return
            batch, self._rows = self._rows[: self._max_size], self._rows[self._max_size :]
            live = [row for row in batch if not row[1].done()]
            if live and self._begin(live):
                self._free -= 1

    def _wake(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._alarm is not None:
            if self._alarm_at <= when:
                return
            self._alarm.cancel()
        self._alarm_at = when
        now = when <= loop.time()
        self._alarm = loop.call_soon(self.advance) if now else loop.call_at(when, self.advance)
