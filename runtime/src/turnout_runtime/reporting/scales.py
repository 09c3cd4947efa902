"""From values to places in a plot, and what stands beside the axes. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_DAY = 86_400
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_SPANS = (
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000),
)
"""Seconds that people count time in."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` at `start` to `end`, in the plot's units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is; one beyond the ends is at the end."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def ticks(self, about: int = 4) -> Iterator[tuple[float, str]]:
        """Round values on the axis, and how they are written."""
        step = nice((self.high - self.low) / about)
        digits = max(0, -math.floor(math.log10(step))) + (
            1 if step * 10 ** max(0, -math.floor(math.log10(step))) % 1 else 0
        )
        for number in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1):
            yield number * step, short(number * step, digits)


def nice(step: float) -> float:
    """The next larger round number."""
    if step <= 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in _NICE if factor * power >= step * (1 - 1e-9))


def short(value: float, digits: int = 0) -> str:
    """A number for an axis: thousands as k, millions as M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:.{digits}f}"


def span_of(seconds: float, parts: int) -> int:
    """Seconds of a bucket, so that there are at most so many."""
    return next((span for span in _SPANS if seconds / span <= parts), _SPANS[-1])


def times(scale: Scale, about: int = 4) -> Iterator[tuple[float, str]]:
    """Round times (seconds since 1970, UTC) on an axis; of a day in a range of several the date."""
    step = span_of(scale.high - scale.low, about)
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%m-%d"
    for number in range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1):
        new_day = number * step % _DAY == 0 and scale.high - scale.low > _DAY
        yield number * step, datetime.fromtimestamp(number * step, UTC).strftime("%m-%d" if new_day else form)
