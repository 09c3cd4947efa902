"""Where a line's batches run: on the event loop, in the model's thread, or on its server."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeAlias

from turnout_runtime.models.outcome import AsyncRunner, Outcome, Runner, outcomes, remote_outcomes
from turnout_runtime.models.waiting import Waiting
from turnout_runtime.models.worker import Worker

Note: TypeAlias = Callable[[list[Waiting], Sequence[Outcome], float, float], None]
"""Hears of a finished run: its rows, their outcomes, its seconds, and these with the way to its thread and back."""

Release: TypeAlias = Callable[[float], None]
"""Called after `Note` when a run beside the loop is over; the float is the seconds it took as the loop saw it."""


class Engine:
    """Runs batches; never raises what a model raises. `clock` measures runs on the loop, in seconds."""

    def __init__(self, name: str, run: Runner, note: Note, clock: Callable[[], float]) -> None:
        self._name, self._run, self._note, self._clock = name, run, note, clock
        self._worker: Worker | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End the thread, if there is one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def here(self, loop: asyncio.AbstractEventLoop, batch: list[Waiting]) -> None:
        """Run on the loop."""
        began, started = loop.time(), self._clock()
        scores = outcomes(self._run, [row[0] for row in batch])
        self._note(batch, scores, self._clock() - started, loop.time() - began)

    def apart(self, loop: asyncio.AbstractEventLoop, batch: list[Waiting], release: Release) -> None:
        """Run in the thread."""
        rows, began = [row[0] for row in batch], loop.time()

        def finish(scores: Sequence[Outcome], seconds: float) -> None:
            whole = loop.time() - began
            self._note(batch, scores, seconds, whole)
            release(whole)

        def job() -> None:
            started = perf_counter()
            scores = outcomes(self._run, rows)
            seconds = perf_counter() - started
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                loop.call_soon_threadsafe(finish, scores, seconds)

        self._worker = self._worker or Worker(self._name)
        self._worker.submit(job)

    def there(
        self, loop: asyncio.AbstractEventLoop, batch: list[Waiting], release: Release, remote: AsyncRunner
    ) -> None:
        """Run on the server."""
        task = loop.create_task(self._ask(loop, batch, release, remote))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(
        self, loop: asyncio.AbstractEventLoop, batch: list[Waiting], release: Release, remote: AsyncRunner
    ) -> None:
        ends = [row[3] for row in batch]
        last = None if None in ends else max(end for end in ends if end is not None)

        def left() -> float | None:
            return None if last is None else max(0.0, last - loop.time())

        began = loop.time()
        scores = await remote_outcomes(remote, [row[0] for row in batch], left)
        seconds = loop.time() - began
        self._note(batch, scores, seconds, seconds)
        release(seconds)
