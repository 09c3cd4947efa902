"""The time limits of requests. One timer serves nearly all of them: they expire in the order they began.

A limit is a moment of the performance counter. Whoever is still within its limit then is cancelled; a limit that would
expire before an earlier one, since its caller is in a hurry, has a timer of its own.
"""

import asyncio
import math
import time
from types import TracebackType
from typing import Any

from turnout_runtime.errors import RequestTimeout, StageTimeout

_Task = asyncio.Task[Any]
_TICK = 0.001  # seconds; the event loop's own resolution


class Expiry:
    """Cancels the tasks that are within a limit for too long. `timeout` in seconds is what callers get by default."""

    def __init__(self, timeout: float = math.inf, stage: str | None = None, turns: int = 0) -> None:
        """With a `stage` it limits that stage of requests, not the whole.

        A task that is too late still gets `turns` of the event loop, for what has just become ready to let it go on.
        """
        self.timeout = timeout
        self._stage, self._turns = stage, turns
        self._order: dict[_Task, float] = {}  # deadlines, never falling
        self._own: dict[_Task, asyncio.TimerHandle] = {}
        self._late: set[_Task] = set()
        self._latest = -math.inf
        self._armed = False

    def until(self, deadline: float) -> "Limit":
        """A context manager for the current task; raises `RequestTimeout` when it is not left before `deadline`."""
        return Limit(self, deadline)

    def begin(self, task: _Task, deadline: float) -> None:
        """From now on the task has its time; a task has one limit of an `Expiry` at once."""
        if deadline < self._latest and self._armed:
            delay = max(0.0, deadline - time.perf_counter())
            self._own[task] = task.get_loop().call_later(delay, self._expire_alone, task)
            return
        self._latest = deadline
        self._order[task] = deadline
        if not self._armed:
            self._arm(task.get_loop(), deadline - time.perf_counter())

    def end(self, task: _Task) -> bool:
        """The task is done with it; whether it was within the limit."""
        if self._order.pop(task, None) is not None:
            return True
        if (timer := self._own.pop(task, None)) is not None:
            timer.cancel()
            return True
        if task in self._late:
            self._late.remove(task)
            return True
        return False

    def error(self) -> RequestTimeout:
        """What a task that was cut ends in."""
        if self._stage is not None:
            return StageTimeout(self._stage)
        return RequestTimeout("not done in time" + (f": {self.timeout:g} s" if self.timeout < math.inf else ""))

    def _expire_alone(self, task: _Task) -> None:
        del self._own[task]
        self._give_up(task)

    def _give_up(self, task: _Task) -> None:
        if self._turns:
            self._late.add(task)
            self._cut_late(task, self._turns)
        else:
            task.cancel()

    def _cut_late(self, task: _Task, turns: int) -> None:
        if task not in self._late:
            return
        if turns:
            task.get_loop().call_soon(self._cut_late, task, turns - 1)
        else:
            self._late.remove(task)
            task.cancel()

    def _arm(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._armed = True
        loop.call_later(max(delay, _TICK), self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = False
        now = time.perf_counter()
        for task, deadline in list(self._order.items()):
            if deadline > now:
                self._arm(loop, deadline - now)
                break
            del self._order[task]
            self._give_up(task)


class Limit:
    """One task's time; raises the expiry's error where the task is cancelled because the time is over."""

    __slots__ = ("_deadline", "_expiry", "_task")

    def __init__(self, expiry: Expiry, deadline: float) -> None:
        self._expiry, self._deadline = expiry, deadline
        self._task: _Task | None = None

    def __enter__(self) -> None:
        if self._deadline == math.inf:
            return
        if self._deadline <= time.perf_counter():
            raise self._expiry.error()
        self._task = asyncio.current_task()
        assert self._task is not None
        self._expiry.begin(self._task, self._deadline)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        task = self._task
        if task is None or self._expiry.end(task):
            return
        # Expired. If the caller has gone too, somebody else's cancellation stays and wins.
        if task.uncancel() == 0 and (kind is None or kind is asyncio.CancelledError):
            raise self._expiry.error() from error
