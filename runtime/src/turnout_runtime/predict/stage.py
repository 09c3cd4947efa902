"""Calls a stage the way it was written: awaited, on the event loop, or in a thread when it is slow."""

import asyncio
import contextvars
import inspect
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from turnout_runtime.workflow.threads import placement

_log = logging.getLogger("turnout.predict")
SLOW = 0.002  # seconds; what a stage may keep all other requests waiting for
_QUICK = SLOW / 4  # what has nothing to tell, while the mean is as low
_SMOOTHING = 1 / 16
_WORKERS = len(os.sched_getaffinity(0)) + 4
_OUTLIER = 5 * SLOW  # one long pause of the machine is no reason to pay for a thread ever after


class Threads:
    """The pool that slow stages share; its threads start with the first of them.

    `slow` has the names of the stages that have moved here. It may outlive the pool: what the warm-up of a workflow
    found out is known when it serves.
    """

    def __init__(self, slow: set[str] | None = None) -> None:
        self.slow = set() if slow is None else slow
        self._pool: ThreadPoolExecutor | None = None
        self._places = asyncio.Semaphore(_WORKERS)

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """The function's result, awaited where it is to be; cancelling gives it up, but does not end the thread.

        Who waits for a thread waits here and not in the pool, which would keep what was given up behind threads that
        hang.
        """
        await self._places.acquire()
        try:
            job = self._submit(partial(_call, function, *args))
        except BaseException:
            self._places.release()
            raise
        loop = asyncio.get_running_loop()
        job.add_done_callback(lambda _: self._leave(loop))
        result = await asyncio.wrap_future(job)
        return await result if hasattr(result, "__await__") else result

    def _submit(self, call: Callable[[], Any]) -> "Future[Any]":
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="turnout-stage")
        return self._pool.submit(contextvars.copy_context().run, call)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(self._places.release)

    def close(self) -> None:
        """Give up what has not begun."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _call(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except StopIteration as error:  # a future would refuse it, and nobody would ever hear of it
        raise RuntimeError("a stage raised StopIteration") from error


class Stage:
    """One stage of a workflow. Calling it gives its result, or something to await."""

    __slots__ = ("_function", "_mean", "_measured", "_name", "_threads", "offloaded")

    def __init__(self, name: str, function: Callable[..., Any], threads: Threads) -> None:
        mark = placement(function)
        waits = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        self._name, self._function, self._threads = name, function, threads
        self.offloaded = not waits and (mark == "thread" or (mark is None and name in threads.slow))
        self._measured = mark is None and not waits and not self.offloaded
        self._mean = 0.0

    def __call__(self, *args: Any) -> Any:
        """The stage's result, or an awaitable of it."""
        if self._measured:
            began = time.perf_counter()
            result = self._function(*args)
            seconds = time.perf_counter() - began
            if seconds > _QUICK or self._mean > _QUICK:
                self._observe(seconds)
            return result
        return self._threads.run(self._function, *args) if self.offloaded else self._function(*args)

    def _observe(self, seconds: float) -> None:
        self._mean += (min(seconds, _OUTLIER) - self._mean) * _SMOOTHING
        if self._mean > SLOW:
            self._measured, self.offloaded = False, True
            self._threads.slow.add(self._name)
            _log.warning(
                "a slow stage moves to a thread; mark it with @threaded, or with @inline to keep it",
                extra={"stage": self._name, "mean_ms": round(self._mean * 1e3, 3)},
            )
