"""Models without a file, and a loop whose time passes only while it has nothing to do."""

import asyncio
import random
import selectors
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from turnout_runtime.workflow.features import Row

T = TypeVar("T")


class Runs:
    """Sums rows; notes each batch and the thread that ran it; fails for a batch that has `poison` in it."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[int] = []
        self.threads: set[str] = set()

    def __call__(self, rows: Sequence[Row]) -> list[float]:
        self.batches.append(len(rows))
        self.threads.add(threading.current_thread().name)
        if self.seconds:
            time.sleep(self.seconds)
        return _scores(rows)


class RemoteRuns:
    """The same on a server that takes `seconds` of the loop's time a batch; notes how many run at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.running, self.most = seconds, 0, 0
        self.batches: list[int] = []
        self.limits: list[float | None] = []

    async def __call__(self, rows: Sequence[Row], left: float | None) -> list[float]:
        self.batches.append(len(rows))
        self.limits.append(left)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        return _scores(rows)


def _scores(rows: Sequence[Row]) -> list[float]:
    if any("poison" in row for row in rows):
        raise ValueError("poisoned")
    return [float(sum(row)) for row in rows]


class _Skipper(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if not events and timeout:
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._skipper = _Skipper()
        super().__init__(self._skipper)

    def time(self) -> float:
        return self._skipper.now

    def skip(self, seconds: float) -> None:
        """Let time pass while the loop is busy."""
        self._skipper.now += seconds


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Machine:
    """A model that takes `fixed + each * rows` seconds of the loop's time a run, give or take `noise`, times `slow`."""

    def __init__(self, fixed: float, each: float, noise: float = 0.0) -> None:
        self.fixed, self.each, self.noise, self.slow = fixed, each, noise, 1.0
        self.batches: list[int] = []
        self._dice = random.Random(1)

    def seconds(self, rows: int) -> float:
        """What a run of so many rows takes on average."""
        return self.slow * (self.fixed + self.each * rows)

    def capacity(self, most: int, timeout: float) -> float:
        """Rows a second in the best batches that leave their rows half of the timeout to wait in."""
        return max(n / self.seconds(n) for n in range(1, most + 1) if n == 1 or self.seconds(n) <= timeout / 2.5)

    async def remote(self, rows: Sequence[Row], left: float | None) -> list[float]:
        """Beside the loop."""
        await asyncio.sleep(self._take(rows))
        return [float(row[0]) for row in rows]

    def here(self, rows: Sequence[Row]) -> list[float]:
        """On the loop, which stands still meanwhile."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.skip(self._take(rows))
        return [float(row[0]) for row in rows]

    def _take(self, rows: Sequence[Row]) -> float:
        self.batches.append(len(rows))
        return self.seconds(len(rows)) * (1 + self.noise * self._dice.uniform(-1, 1))
