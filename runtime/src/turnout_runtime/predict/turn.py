"""Runs a request without a task of its own, as far as that goes.

Most workflows wait for nothing but their model, whose batch is computed in the same turn of the event loop. For them a
task would be the dearest part of the whole bookkeeping; and, since it runs a turn later, a pod with many connections
would read all of them again and again before it gets to what it has accepted.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Turn(Generic[T]):
    """Drives one coroutine: from the beginning to its place and its row's score, and from there to its end.

    To the queue and to the model it is what a future is to others: after `expect()`, awaiting it gives what is set.
    Whoever has to wait for anything else awaits `leave()` first, and goes on in a task.
    """

    __slots__ = ("_context", "_coroutine", "_early", "_expects", "_task", "_then", "_waits", "cancelled")

    def __init__(self) -> None:
        self._context = copy_context()
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._early: float | Exception | None = None
        self._task: asyncio.Task[None] | None = None
        self._then: Callable[[T | BaseException], object] | None = None
        self._expects = self._waits = False
        self.cancelled = False

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Run up to the first wait, or to its end; nothing when it was cancelled before."""
        if self.cancelled:
            coroutine.close()
            return
        self._coroutine = coroutine
        self._go_on(None)

    def then(self, finished: Callable[[T | BaseException], object]) -> None:
        """What hears of the result, or of what was raised."""
        self._then = finished

    def cancel(self) -> None:
        """The caller has gone."""
        self.cancelled, self._expects = True, False
        if self._task is not None:
            self._task.cancel()
        if self._waits:  # for its score, or for its task to begin
            self._go_on(asyncio.CancelledError())

    # -- what the queue and the model need of those that wait for them

    def expect(self) -> "Turn[T]":
        """From now on it may be told something, once."""
        self._expects = True
        return self

    def done(self) -> bool:
        """Whether nobody waits to be told."""
        return not self._expects

    def set_result(self, score: float) -> None:
        """The score, or the place, is there."""
        self._settle(score)

    def set_exception(self, error: Exception) -> None:
        """There will be none."""
        self._settle(error)

    def __await__(self) -> Generator[Any, float, float]:
        early, self._early = self._early, None
        if early is None:
            self._waits = True
            return (yield self)
        if isinstance(early, Exception):
            raise early
        return early

    # -- on the way

    async def leave(self) -> None:
        """Go on in a task."""
        self._task = asyncio.get_running_loop().create_task(self._rest(), context=self._context)
        self._waits = True
        await _Pause()

    def _settle(self, outcome: float | Exception) -> None:
        self._expects = False
        if self._waits:
            self._go_on(outcome)
        else:  # it was computed before anybody could wait
            self._early = outcome

    def _go_on(self, outcome: float | BaseException | None) -> None:
        self._waits = False
        coroutine = self._coroutine
        assert coroutine is not None
        try:
            if isinstance(outcome, BaseException):
                self._context.run(coroutine.throw, outcome)
            else:
                self._context.run(coroutine.send, outcome)
        except StopIteration as end:
            self._finish(end.value)
        except (Exception, asyncio.CancelledError) as error:
            self._finish(error)

    async def _rest(self) -> None:
        self._waits = False
        assert self._coroutine is not None
        try:
            self._finish(await _Begun(self._coroutine))
        except (Exception, asyncio.CancelledError) as error:
            self._finish(error)

    def _finish(self, result: T | BaseException) -> None:
        self._coroutine = None
        if self._then is not None:
            self._then(result)


class _Pause:
    def __await__(self) -> Generator[Any, None, None]:
        yield


class _Begun(Generic[T]):
    """A coroutine that has begun already, to be awaited from where it is."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()
