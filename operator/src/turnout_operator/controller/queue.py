"""A keyed work queue with two lanes: a user's change never waits behind a resync.

A key is handled by one worker at a time; marking it while it is handled makes it be handled once more. Failed keys come
back with exponential back-off. Same semantics as client-go's workqueue.
"""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
FIRST_RETRY_SECONDS = 0.1
MAX_RETRY_SECONDS = 60.0


class Lane(IntEnum):
    """URGENT: what a user changed or traffic waits for. ROUTINE: initial listing, echoes of own writes, resync."""

    URGENT = 0
    ROUTINE = 1


class WorkQueue(Generic[K]):
    """Keys waiting to be handled. Not thread-safe; one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lanes: tuple[deque[K], deque[K]] = (deque(), deque())
        self._waiting: dict[K, Lane] = {}
        self._busy: set[K] = set()
        self._again: dict[K, Lane] = {}
        self._failures: dict[K, int] = {}
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._sequence = 0
        self._clock = clock
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: K, lane: Lane = Lane.ROUTINE) -> None:
        """Mark a key dirty. A waiting key may move to the urgent lane, never back."""
        if key in self._busy:
            self._again[key] = min(lane, self._again.get(key, lane))
        elif key not in self._waiting or lane < self._waiting[key]:
            self._waiting[key] = lane
            self._lanes[lane].append(key)
            self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Mark a key dirty later; the earliest of several times counts."""
        due = self._clock() + seconds
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._later, (due, self._sequence, key))
        self._wake.set()

    async def get(self) -> K:
        """The next key, urgent ones first; the caller must call `done`."""
        while True:
            self._promote()
            for lane, keys in enumerate(self._lanes):
                while keys:
                    key = keys.popleft()
                    if self._waiting.get(key) == lane:
                        del self._waiting[key]
                        self._busy.add(key)
                        return key
            await self._sleep()

    def done(self, key: K, *, failed: bool = False) -> float | None:
        """Report the end of a key's handling; after a failure returns the seconds until its next try."""
        self._busy.discard(key)
        delay = None
        if failed:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 20), MAX_RETRY_SECONDS)
            self.add_after(key, delay)
        else:
            self._failures.pop(key, None)
        if (lane := self._again.pop(key, None)) is not None:
            self.add(key, lane)
        return delay

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key, Lane.ROUTINE)

    async def _sleep(self) -> None:
        self._wake.clear()
        timeout = max(0.0, self._later[0][0] - self._clock()) if self._later else None
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
