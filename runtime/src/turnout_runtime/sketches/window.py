"""What was seen within the last hour: sketches of panes of time, of which the oldest are forgotten one by one. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

from turnout_runtime.sketches.compare import Sketch
from turnout_runtime.sketches.document import Sketches, merged

PANE, PANES = 60, 60
"""Seconds of a pane, and how many panes a window has: the current one counts as one."""
BLOCK = 8

Pane: TypeAlias = tuple[int, Sketches]
"""A pane's number since the epoch, and what was seen in it."""


@dataclass(frozen=True, slots=True)
class View:
    """What was seen from `since` until `until`, in seconds of the clock's epoch; to be read before more is seen."""

    since: float
    until: float
    sketches: Sketches


class Window:
    """Sketches of the panes that are not over for an hour.

    Closed panes are added up by blocks of eight: the oldest block from each of its panes on, those in between to one
    sum, the newest as they come. So a sum over the window is three additions, and forgetting a pane costs none but
    once in eight minutes, when another block becomes the oldest: at most fifteen.
    """

    def __init__(self, empty: Mapping[str, Sketch], now: float) -> None:
        """`empty`: sketches of all columns that have seen nothing."""
        self._empty = dict(empty)
        self._began = now
        self._number = int(now // PANE)
        self.current = self._fresh()
        self._panes: deque[Pane] = deque()
        self._oldest: list[Pane] = []  # the last is the oldest, each the sum of itself and those before
        self._blocks: deque[list[Pane]] = deque()
        self._sums: deque[Sketches] = deque()  # of the blocks
        self._between: Sketches = {}  # the sum of these
        self._newest: list[Pane] = []
        self._newest_sum: Sketches = {}

    def extend(self, empty: Mapping[str, Sketch]) -> None:
        """More columns, from now on."""
        self._empty |= empty
        self.current |= {name: sketch.empty() for name, sketch in empty.items()}

    @property
    def ends(self) -> float:
        """When the current pane does."""
        return (self._number + 1) * PANE

    def move(self, now: float) -> None:
        """Time goes on; a clock that goes back stays in its pane."""
        number = int(now // PANE)
        if number <= self._number:
            return
        self._close()
        self._number, self.current = number, self._fresh()
        self._forget(number - PANES)

    def view(self, now: float, seconds: float = PANE * PANES) -> View:
        """All panes of which a part lies within so many seconds."""
        self.move(now)
        first = max(int((now - seconds) // PANE) + (seconds >= PANE * PANES), self._number - PANES + 1)
        if first <= (self._panes[0][0] if self._panes else self._number):
            oldest = self._oldest[-1][1] if self._oldest else {}
            found = merged(merged(merged(oldest, self._between), self._newest_sum), self.current)
        else:
            found = self.current
            for number, pane in self._panes:
                if number >= first:
                    found = merged(found, pane)
        return View(max(self._began, first * PANE), now, found)

    def _fresh(self) -> Sketches:
        return {name: sketch.empty() for name, sketch in self._empty.items()}

    def _close(self) -> None:
        """The current pane is over."""
        pane = self._number, self.current
        self._panes.append(pane)
        self._newest.append(pane)
        self._newest_sum = merged(self._newest_sum, self.current)
        if len(self._newest) == BLOCK:
            self._end_block()

    def _end_block(self) -> None:
        self._blocks.append(self._newest)
        self._sums.append(self._newest_sum)
        self._between = merged(self._between, self._newest_sum)
        self._newest, self._newest_sum = [], {}

    def _forget(self, last: int) -> None:
        """All panes up to this one are too old."""
        while self._panes and self._panes[0][0] <= last:
            self._panes.popleft()
        while self._oldest and self._oldest[-1][0] <= last:
            self._oldest.pop()
        if self._newest and self._newest[0][0] <= last:
            self._end_block()
        if not self._oldest and self._blocks and self._blocks[0][0][0] <= last:
            self._open_block(last)

    def _open_block(self, last: int) -> None:
        """Another block becomes the oldest, those that are too old as a whole are left out."""
        while self._blocks and not self._oldest and self._blocks[0][0][0] <= last:
            block, total = self._blocks.popleft(), Sketches()
            self._sums.popleft()
            for number, pane in reversed(block):
                if number > last:
                    total = merged(pane, total)
                    self._oldest.append((number, total))
        self._between = reduce(merged, self._sums, Sketches())
