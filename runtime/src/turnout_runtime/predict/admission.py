"""Decides which requests run, which wait, and which are turned away at once."""

import asyncio
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import Any

from turnout_runtime.errors import Overloaded, RequestError
from turnout_runtime.predict.turn import Turn

_ENOUGH = 16  # places given, to judge by
_CAUTION = 0.8  # since the next moments may be a little slower than the last

_Waiting = asyncio.Future[Any] | Turn[Any]


class Admission:
    """At most `concurrency` executions, then at most `max_depth` waiting, first come first served.

    A queue bounded in length and in time (`max_wait` seconds) keeps the latency of accepted requests bounded when
    more comes in than can be done; the rest is told so in microseconds. As soon as it shows how many places become
    free within `max_wait`, no more may wait than will have one: the others would be turned away too, but later.
    """

    def __init__(
        self, concurrency: int, max_depth: int, max_wait: float, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._concurrency, self._max_depth, self._max_wait, self._clock = concurrency, max_depth, max_wait, clock
        self._waiting: dict[_Waiting, None] = {}
        self._reach = max_depth  # how far back in the queue a place comes in time
        self._given, self._since = 0, 0.0  # places given to who waited, and since when the queue was never empty
        self.active = 0

    @property
    def depth(self) -> int:
        """Requests that wait now."""
        return len(self._waiting)

    def full(self, coming: int = 0) -> bool:
        """Whether there is neither a free place nor one to wait in, for those who come and one more."""
        return self.active + len(self._waiting) + coming >= self._concurrency + self._reach

    def try_enter(self) -> bool:
        """Take a free place at once, if there is one."""
        if self.active >= self._concurrency:
            return False
        self.active += 1
        return True

    async def wait(
        self,
        turn: Turn[Any] | None = None,
        remaining: float = inf,
        too_late: Callable[[], RequestError] = lambda: Overloaded("queue_wait"),
    ) -> None:
        """Queue for a place that is not free now, for `remaining` seconds at most; raises `Overloaded`, or `too_late`.

        Every place taken needs one `leave()`. `turn` is what drives a request that has no task.
        """
        if self.full():
            raise Overloaded("queue_full")
        loop = asyncio.get_running_loop()
        waits: _Waiting = loop.create_future() if turn is None else turn.expect()
        self._waiting[waits] = None
        if remaining < self._max_wait:
            timer = loop.call_later(max(0.0, remaining), self._expire, waits, too_late)
        else:
            timer = loop.call_later(self._max_wait, self._expire, waits, lambda: Overloaded("queue_wait"))
        try:
            await waits
        except asyncio.CancelledError:
            if waits in self._waiting:
                del self._waiting[waits]
            elif not isinstance(waits, asyncio.Future) or (not waits.cancelled() and waits.exception() is None):
                self.leave()  # the place was given in the moment the caller went away
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give the place to whoever waits longest, or back."""
        while self._waiting:
            waits = next(iter(self._waiting))
            del self._waiting[waits]
            self._count()
            if isinstance(waits, asyncio.Future):
                if not waits.done():
                    waits.set_result(None)
                    return
            else:  # it goes on at once, which must not be within the end of another
                asyncio.get_running_loop().call_soon(_give, waits)
                return
        self.active -= 1
        self._reach, self._since = self._max_depth, 0.0

    def _count(self) -> None:
        now = self._clock()
        passed = now - self._since
        if not self._since:
            self._given, self._since = 0, now
        elif passed >= self._max_wait and self._given >= _ENOUGH:
            served = int(_CAUTION * self._given * self._max_wait / passed)
            self._reach = min(self._max_depth, max(1, served, self._reach // 2))  # a single stall says little
            self._given, self._since = 0, now
        self._given += 1

    def _expire(self, waits: _Waiting, error: Callable[[], RequestError]) -> None:
        if waits in self._waiting and not waits.done():
            del self._waiting[waits]
            waits.set_exception(error())


def _give(turn: Turn[Any]) -> None:
    if not turn.done():  # else its caller has gone meanwhile, and the place with it
        turn.set_result(0.0)
