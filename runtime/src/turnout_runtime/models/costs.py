"""What a run costs: `fixed + each * rows` seconds, learned from the latest runs, and what follows for its size."""

import math

from turnout_runtime.models.pace import SLOW

_MEMORY = 1 - 1 / 64  # per run: what a run is made of hardly changes
_HASTE = 1 / 4  # per run: how busy the machine is changes at once
_DOUBT = 0.02  # how much the split of before weighs against runs, which are mostly of one size
_SEED = 8.0  # runs that a warm-up counts for
_GAIN = 0.05  # of the best throughput, which smaller batches may cost
_HOP = 0.00005  # seconds around a run, spent on loop, thread and arrays
_CAUTION = 2.0  # mean deviations


class Costs:
    """A line through the latest runs, by least squares that weigh relative errors and forget.

    When runs take longer or shorter than it says, all that it remembers is first told in today's pace: a machine that
    becomes busy shows within a few runs, while how the time divides into fixed and each takes many. A single run that
    was stalled counts for little.
    """

    __slots__ = ("_weight", "_x", "_xx", "_xy", "_y", "each", "fixed", "spread")

    def __init__(self) -> None:
        self.fixed = self.each = 0.0
        self.spread = 0.25
        self._weight = self._x = self._xx = self._y = self._xy = 0.0

    def seed(self, one: float, rows: int = 1, full: float | None = None) -> None:
        """Begin with what warm-up measured: seconds of a run of one row and, where it is another, of one of `rows`."""
        self._weight = self._x = self._xx = self._y = self._xy = 0.0
        if one <= 0 or full is None or rows == 1:
            self._begin(1, one)
            return
        self.each = min(max(0.0, full - one) / (rows - 1), one)
        self.fixed = one - self.each
        for size in (1, rows):
            self._add(size, self.time(size), _SEED, one / self.time(size))

    def observe(self, rows: int, seconds: float) -> None:
        """Take in one run."""
        expected = self.time(rows)
        if expected <= 0:
            self._begin(rows, seconds)
            return
        seconds = min(seconds, 2 * expected + SLOW)
        off = seconds / expected - 1
        self.spread += (min(abs(off), 1.0) - self.spread) / 8
        pace = 1 + _HASTE * off
        self._y, self._xy = self._y * _MEMORY * pace, self._xy * _MEMORY * pace
        self._weight, self._x, self._xx = self._weight * _MEMORY, self._x * _MEMORY, self._xx * _MEMORY
        self._add(rows, seconds, 1.0, self.time(1) / expected)
        self._fit(pace)

    def time(self, rows: int) -> float:
        """Seconds that a run of so many rows will take; 0 while nothing is known."""
        return self.fixed + self.each * rows

    def need(self, rows: int) -> float:
        """Seconds within which it is over but for rare cases."""
        return (self.fixed + self.each * rows) * (1 + _CAUTION * self.spread)

    def pays(self, most: int) -> int:
        """Rows of the smallest batch that has all but a little of the throughput of large ones, `most` at most."""
        if self.each * most * _GAIN <= self.fixed + _HOP:
            return most
        return math.ceil((self.fixed + _HOP) / (self.each * _GAIN))

    def within(self, seconds: float) -> int:
        """Rows that a run of so many seconds computes, one at least."""
        if self.time(1) >= seconds:
            return 1
        return int((seconds - self.fixed) / self.each) if self.each > 0 else 1 << 30

    def _begin(self, rows: int, seconds: float) -> None:
        """From a single run nobody knows how its time divides: half and half is wrong by a factor of two at most."""
        self.fixed, self.each = seconds / 2, seconds / 2 / rows
        if seconds > 0:
            self._add(rows, seconds, 1.0, self.time(1) / seconds)

    def _add(self, rows: int, seconds: float, count: float, relative: float) -> None:
        weight = count * relative * relative
        self._weight += weight
        self._x += weight * rows
        self._xx += weight * rows * rows
        self._y += weight * seconds
        self._xy += weight * rows * seconds

    def _fit(self, pace: float) -> None:
        """Solve for the line, drawn a little towards the one before."""
        weight, xx = self._weight * (1 + _DOUBT), self._xx * (1 + _DOUBT)
        y = self._y + _DOUBT * self._weight * self.fixed * pace
        xy = self._xy + _DOUBT * self._xx * self.each * pace
        scale = weight * xx - self._x * self._x  # > 0 by Cauchy and Schwarz, and the doubt
        fixed, each = (y * xx - xy * self._x) / scale, (xy * weight - y * self._x) / scale
        if fixed < 0:
            fixed, each = 0.0, self._xy / self._xx
        elif each < 0:
            fixed, each = self._y / self._weight, 0.0
        self.fixed, self.each = fixed, each
