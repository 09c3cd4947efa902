"""Models without a file, and a loop whose time passes only while it has nothing to do."""

import asyncio
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


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
