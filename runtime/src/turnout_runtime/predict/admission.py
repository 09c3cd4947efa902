"""Decides which requests run, which wait, and which are turned away at once."""

import asyncio
from asyncio import Future

from turnout_runtime.errors import Overloaded


class Admission:
    """At most `concurrency` executions, then at most `max_depth` waiting, first come first served.

    A queue bounded in length and in time (`max_wait` seconds) keeps the latency of accepted requests bounded when
    more comes in than can be done; the rest is told so in microseconds.
    """

    def __init__(self, concurrency: int, max_depth: int, max_wait: float) -> None:
        self._concurrency, self._max_depth, self._max_wait = concurrency, max_depth, max_wait
        self._waiting: dict[Future[None], None] = {}
        self.active = 0

    @property
    def depth(self) -> int:
        """Requests that wait now."""
        return len(self._waiting)

    def full(self) -> bool:
        """Whether there is neither a free place nor one to wait in."""
        return self.active >= self._concurrency and len(self._waiting) >= self._max_depth

    def free(self) -> bool:
        """Whether there is a free place."""
        return self.active < self._concurrency

    def try_enter(self) -> bool:
        """Take a free place at once, if there is one."""
        if self.active >= self._concurrency:
            return False
        self.active += 1
        return True

    async def wait(self) -> None:
        """Queue for a place that is not free now; raises `Overloaded`. Every place taken needs one `leave()`."""
        if len(self._waiting) >= self._max_depth:
            raise Overloaded("queue_full")
        loop = asyncio.get_running_loop()
        turn: Future[None] = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_later(self._max_wait, self._expire, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                del self._waiting[turn]
            elif not turn.cancelled() and turn.exception() is None:
                self.leave()  # the place was given in the moment the caller went away
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give the place to whoever waits longest, or back."""
        while self._waiting:
            turn = next(iter(self._waiting))
            del self._waiting[turn]
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1

    def _expire(self, turn: Future[None]) -> None:
        if turn in self._waiting and not turn.done():
            del self._waiting[turn]
            turn.set_exception(Overloaded("queue_wait"))
