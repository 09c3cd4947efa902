"""When requests were due, and how each of them ended."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LOST = 0
"""Status of a request whose connection broke, or that had no answer in time."""


def schedule(rate: float, seconds: float, seed: int = 0) -> Floats:
    """When the requests of many independent callers come (a Poisson process): ascending seconds in [0, `seconds`)."""
    mean = rate * seconds
    gaps = np.random.default_rng(seed).exponential(1 / rate, int(mean + 6 * mean**0.5 + 10))
    due = np.cumsum(gaps)
    return due[due < seconds]


@dataclass(frozen=True)
class Outcomes:
    """Columns with an entry for each request, in the order they were due; times in seconds from the load's start."""

    due: Floats
    sent: Floats
    done: Floats
    status: npt.NDArray[np.int16]
    fallback: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.due)

    def between(self, start: float, end: float) -> "Outcomes":
        """Those that were due in [start, end)."""
        return self._where((self.due >= start) & (self.due < end))

    def having(self, *statuses: int) -> "Outcomes":
        """Those that ended with one of the statuses."""
        return self._where(np.isin(self.status, statuses))

    def latency(self, percent: float) -> float | None:
        """Percentile (nearest rank) of milliseconds from due to done; None of nothing, and where that one was lost."""
        return _percentile(self.done - self.due, percent)

    def lag(self, percent: float = 99) -> float | None:
        """Percentile of the milliseconds from due to sent: the generator's own lateness, or no free connection."""
        return _percentile(self.sent - self.due, percent)

    def rate(self, seconds: float) -> float:
        """Requests a second."""
        return len(self) / seconds

    def _where(self, chosen: npt.NDArray[np.bool_]) -> "Outcomes":
        due, sent, done = self.due[chosen], self.sent[chosen], self.done[chosen]
        return Outcomes(due, sent, done, self.status[chosen], self.fallback[chosen])


class Ledger:
    """Outcomes in the making. Lists, because a load touches single entries."""

    def __init__(self, due: Floats) -> None:
        self.due: list[float] = due.tolist()
        count = len(self.due)
        self.sent, self._done = [float("inf")] * count, [float("inf")] * count
        self._status, self._fallback = [LOST] * count, [False] * count

    def close(self, number: int, done: float, status: int, fallback: bool) -> None:
        """A request's answer is there."""
        self._done[number], self._status[number], self._fallback[number] = done, status, fallback

    def outcomes(self) -> Outcomes:
        """What is known so far."""
        due, sent, done = (np.array(column, np.float64) for column in (self.due, self.sent, self._done))
        return Outcomes(due, sent, done, np.array(self._status, np.int16), np.array(self._fallback, np.bool_))


def _percentile(seconds: Floats, percent: float) -> float | None:
    if not len(seconds):
        return None
    value = float(np.percentile(seconds, percent, method="inverted_cdf"))
    return value * 1000 if np.isfinite(value) else None
