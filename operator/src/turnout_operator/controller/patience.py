"""Waiting out what passes by itself, so that a status is not written for every blink of a gateway."""

from collections.abc import Callable, Hashable


class Patience:
    """Remembers since when something has been so, per subject."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Hashable, tuple[Hashable, float]] = {}

    def left(self, subject: Hashable, state: Hashable, seconds: float) -> float | None:
        """Seconds until `subject` has been in `state` for `seconds`; None once it has."""
        known, since = self._since.get(subject, (None, 0.0))
        if known != state:
            since = self._clock()
            self._since[subject] = (state, since)
        left = since + seconds - self._clock()
        return left if left > 0 else None

    def over(self, subject: Hashable) -> None:
        """`subject` is as it should be: the next wait starts anew."""
        self._since.pop(subject, None)
