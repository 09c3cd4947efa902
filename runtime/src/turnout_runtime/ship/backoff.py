"""How long to wait before a sink is tried again. Pure but for chance."""

import random
from collections.abc import Callable


class Backoff:
    """Seconds that double with each failure, with full jitter above a least: many pods must not come at once."""

    def __init__(self, first: float = 1.0, most: float = 60.0, chance: Callable[[], float] = random.random) -> None:
        self._first, self._most, self._chance = first, most, chance
        self.failures = 0

    def __call__(self) -> float:
        """Count a failure; seconds until the next attempt."""
        bound = min(self._most, self._first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return bound * (0.5 + self._chance() / 2)

    def reset(self) -> None:
        """It went well."""
        self.failures = 0
