"""The time limit of requests: one timer for all of them, since all have the same limit and the oldest expires first."""

import asyncio
from types import TracebackType
from typing import Any

from turnout_runtime.errors import RequestTimeout

_Task = asyncio.Task[Any]


class Expiry:
    """Hands out limits of `timeout` seconds, and cancels the tasks that are in theirs for longer."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._deadlines: dict[_Task, float] = {}
        self._armed = False

    def limit(self) -> "Limit":
        """A context manager for the current task; not to be nested."""
        return Limit(self)

    def begin(self, task: _Task) -> None:
        """From now on the task has its time."""
        loop = task.get_loop()
        self._deadlines[task] = loop.time() + self.timeout
        if not self._armed:
            self._arm(loop, self.timeout)

    def end(self, task: _Task) -> bool:
        """The task is done with it; whether it was within the limit."""
        return self._deadlines.pop(task, None) is not None

    def _arm(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._armed = True
        loop.call_later(delay, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = False
        now = loop.time()
        for task, deadline in list(self._deadlines.items()):
            if deadline > now:
                self._arm(loop, deadline - now)
                break
            del self._deadlines[task]
            task.cancel()


class Limit:
    """One task's time; raises `RequestTimeout` where the task is cancelled because the time is over."""

    __slots__ = ("_expiry", "_task")

    def __init__(self, expiry: Expiry) -> None:
        self._expiry = expiry

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._expiry.begin(task)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._expiry.end(self._task):
            return
        # Expired. If the caller has gone too, somebody else's cancellation stays and wins.
        if self._task.uncancel() == 0 and (kind is None or kind is asyncio.CancelledError):
            raise RequestTimeout(f"not done within {self._expiry.timeout:g} s") from error
