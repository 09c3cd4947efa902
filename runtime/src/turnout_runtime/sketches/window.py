"""What was seen within the last hour: sketches of panes of time, of which the oldest are forgotten one by one. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from turnout_runtime.sketches.compare import Sketch
from turnout_runtime.sketches.document import Sketches, merged

PANE, PANES = 60, 60
"""Seconds of a pane, and how many panes a window has: the current one counts as one."""


@dataclass(frozen=True, slots=True)
class View:
    """What was seen from `since` until `until`, in seconds of the clock's epoch; to be read before more is seen."""

    since: float
    until: float
    sketches: Sketches


class Window:
    """Sketches of the panes that are not over for an hour.

    Panes are added up from both ends (the two stacks of a queue): a sum over the window is one or two additions,
    whatever it holds, and forgetting a pane costs one addition on average.
    """

    def __init__(self, empty: Mapping[str, Sketch], now: float) -> None:
        """`empty`: sketches of all columns that have seen nothing."""
        self._empty = dict(empty)
        self._began = now
        self._number = int(now // PANE)
        self.current = self._fresh()
        self._panes: deque[tuple[int, Sketches]] = deque()
        self._older: list[tuple[int, Sketches]] = []  # the last is the oldest, each the sum of itself and those before
        self._newer: Sketches = {}  # the sum of the panes that are not among the older ones

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
        self._panes.append((self._number, self.current))
        self._newer = merged(self._newer, self.current)
        self._number, self.current = number, self._fresh()
        while self._panes and self._panes[0][0] <= number - PANES:
            self._forget()

    def view(self, now: float, seconds: float = PANE * PANES) -> View:
        """All panes of which a part lies within so many seconds."""
        self.move(now)
        first = max(int((now - seconds) // PANE) + (seconds >= PANE * PANES), self._number - PANES + 1)
        if first <= (self._panes[0][0] if self._panes else self._number):
            older = self._older[-1][1] if self._older else {}
            found = merged(merged(older, self._newer), self.current)
        else:
            found = self.current
            for number, pane in self._panes:
                if number >= first:
                    found = merged(found, pane)
        return View(max(self._began, first * PANE), now, found)

    def _fresh(self) -> Sketches:
        return {name: sketch.empty() for name, sketch in self._empty.items()}

    def _forget(self) -> None:
        if not self._older:
            total: Sketches = {}
            for number, pane in reversed(self._panes):
                total = merged(pane, total)
                self._older.append((number, total))
            self._newer = {}
        self._older.pop()
        self._panes.popleft()
