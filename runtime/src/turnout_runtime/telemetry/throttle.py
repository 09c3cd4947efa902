"""Keeps a fault at full traffic from becoming a flood of log lines."""

import time
from collections.abc import Callable


class Throttle:
    """Lets one event per kind and period (seconds) through."""

    def __init__(self, period: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._period, self._clock = period, clock
        self._next: dict[str, float] = {}

    def allows(self, kind: str) -> bool:
        """Whether an event of this kind may be told now. Kinds are few: error types, not messages."""
        now = self._clock()
        if now < self._next.get(kind, now):
            return False
        self._next[kind] = now + self._period
        return True
