"""Micro-batching: rows of different requests that wait anyway share a model run.

By default no delay is added. Rows that arrive in one turn of the event loop are computed in one call; while a slow
model runs in its thread, or on its server, the next batch gathers. A lone request never waits for company, unless
the configuration gives it a delay and its own time allows it.
"""

import asyncio
import contextlib
import logging
from asyncio import get_running_loop
from collections.abc import Sequence
from math import isfinite
from time import perf_counter

from turnout_runtime.config import Batching
from turnout_runtime.errors import WorkflowError
from turnout_runtime.models.answers import Answers
from turnout_runtime.models.line import Line, Waiting
from turnout_runtime.models.outcome import (
    AsyncRunner,
    Outcome,
    Runner,
    outcomes,
    padded,
    padded_remote,
    remote_outcomes,
    wrong_count,
)
from turnout_runtime.models.pace import QUICK, Pace
from turnout_runtime.models.stats import ModelStats
from turnout_runtime.models.worker import Worker
from turnout_runtime.workflow.features import Row

_log = logging.getLogger("turnout.models")


class Batcher:
    """Collects rows of one model and runs them in batches of at most `max_size`, in the order of their arrival.

    Quick runs happen on the event loop. Slow ones happen in a thread, one at a time. With `remote` they happen on a
    server, up to `slots` at a time. A row that has left the loop, or waits to, is given up at its deadline.
    """

    def __init__(
        self,
        name: str,
        run: Runner,
        width: int | None,
        batching: Batching | None = None,
        *,
        remote: AsyncRunner | None = None,
        slots: int = 1,
    ) -> None:
        batching = batching or Batching()
        alone = batching.strategy == "none"
        self.max_size = 1 if alone else batching.max_size
        self.stats = ModelStats()
        self.pace = Pace()
        self._answers = Answers(name, self.stats)
        self._name, self._width, self._slots = name, width, slots
        fixed = batching.strategy == "fixed"
        self.run = padded(run, self.max_size) if fixed else run
        self._remote = padded_remote(remote, self.max_size) if remote is not None and fixed else remote
        self._delay = 0.0 if alone else batching.max_delay_seconds
        self._told_slow = False
        self._worker: Worker | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reset()
        self._choose_path()

    @property
    def waiting(self) -> int:
        """Rows that wait for their run."""
        return len(self._fresh) + self._line.waiting

    @property
    def threaded(self) -> bool:
        """Whether runs happen in a thread at present."""
        return self.pace.slow and self._remote is None

    def seed(self, seconds: float) -> None:
        """Begin with what warm-up measured for a run of one row."""
        self.pace.seed(seconds)
        self._choose_path()

    def close(self) -> None:
        """End the thread, if there is one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def submit(self, row: Row, remaining: float | None = None) -> "asyncio.Future[float]":
        """The row's finite score, in the future; its errors are for this row alone.

        Raises `WorkflowError` for a row of the wrong length. Call it on the event loop.
        """
        if self._width is not None and len(row) != self._width:
            raise WorkflowError(f"model {self._name!r} takes {self._width} features, got {len(row)}")
        loop = get_running_loop()
        if loop is not self._loop:  # rows of a loop that has ended have nobody to answer to
            self._loop = loop
            self._reset()
        future: asyncio.Future[float] = loop.create_future()
        if not self._eager:
            self._queue(loop, row, future, remaining)
        elif self.max_size == 1:
            self._run_here([(row, future, 0.0, None, None)])
        else:
            if not self._fresh:
                loop.call_soon(self._flush)
            self._fresh.append((row, future))
        return future

    def _reset(self) -> None:
        self._fresh: list[tuple[Row, asyncio.Future[float]]] = []
        self._line = Line(self.max_size, self._slots, self._begin)

    def _choose_path(self) -> None:
        """Without a delay and with runs on the loop there is nothing to keep track of: that is the hot path."""
        self._eager = self._delay == 0 and self._remote is None and not self.pace.slow

    def _flush(self) -> None:
        """Run what arrived in this turn of the loop; after a full batch others have a turn first.

        Each instruction here is paid by every prediction, so this says in one place what the line's way says in many.
        """
        fresh, self._fresh = self._fresh, []
        if len(fresh) > self.max_size:
            fresh, self._fresh = fresh[: self.max_size], fresh[self.max_size :]
            get_running_loop().call_soon(self._flush)
        rows, futures = [], []
        for row, future in fresh:
            if not future.done():
                rows.append(row)
                futures.append(future)
        if not rows:
            return
        started = perf_counter()
        try:
            scores: Sequence[Outcome] = self.run(rows)
        except Exception:  # rare, so that finding the row to blame may run the batch once more
            scores = outcomes(self.run, rows)
        seconds = perf_counter() - started
        self._count(len(rows), seconds)
        if len(scores) != len(rows):
            scores = [wrong_count(scores, rows)] * len(rows)
        for future, score in zip(futures, scores):  # noqa: B905  # of one length
            if type(score) is float and isfinite(score):
                future.set_result(score)
            else:
                self._answers.fail(future, score)

    def _queue(
        self, loop: asyncio.AbstractEventLoop, row: Row, future: "asyncio.Future[float]", remaining: float | None
    ) -> None:
        now = loop.time()
        if remaining is None:
            self._line.put(loop, (row, future, now + self._delay, None, None))
            return
        hold = self._delay if remaining > self._delay + 2 * self.pace.mean else 0.0
        alarm = loop.call_later(remaining, self._answers.give_up, future, remaining)
        self._line.put(loop, (row, future, now + hold, now + remaining, alarm))

    def _begin(self, batch: list[Waiting]) -> bool:
        """Start a batch of the line; whether it goes on beside the loop."""
        assert self._loop is not None
        if self._remote is not None:
            task = self._loop.create_task(self._run_there(self._loop, self._remote, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self.pace.slow:
            self._run_apart(self._loop, batch)
        else:
            self._run_here(batch)
            return False
        return True

    def _run_here(self, batch: list[Waiting]) -> None:
        started = perf_counter()
        scores = outcomes(self.run, [row[0] for row in batch])
        self._count(len(batch), perf_counter() - started)
        self._answers.give(batch, scores)

    def _run_apart(self, loop: asyncio.AbstractEventLoop, batch: list[Waiting]) -> None:
        rows, line = [row[0] for row in batch], self._line

        def job() -> None:
            started = perf_counter()
            scores = outcomes(self.run, rows)
            seconds = perf_counter() - started
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                loop.call_soon_threadsafe(self._finish, line, batch, scores, seconds)

        self._worker = self._worker or Worker(self._name)
        self._worker.submit(job)

    async def _run_there(self, loop: asyncio.AbstractEventLoop, remote: AsyncRunner, batch: list[Waiting]) -> None:
        ends = [row[3] for row in batch]
        last = None if None in ends else max(end for end in ends if end is not None)

        def left() -> float | None:
            return None if last is None else max(0.0, last - loop.time())

        started, line = perf_counter(), self._line
        scores = await remote_outcomes(remote, [row[0] for row in batch], left)
        self._finish(line, batch, scores, perf_counter() - started)

    def _finish(self, line: Line, batch: list[Waiting], scores: Sequence[Outcome], seconds: float) -> None:
        """Answer a batch that ran beside the loop, and begin the next one."""
        self._count(len(batch), seconds)
        self._answers.give(batch, scores)
        line.release()

    def _count(self, rows: int, seconds: float) -> None:
        self.stats.add(rows, seconds)
        pace = self.pace
        if seconds > QUICK or pace.mean > QUICK or self._delay:  # else it has nothing to tell
            slow = pace.slow
            pace.observe(seconds)
            if pace.slow is not slow:
                self._change_path()

    def _change_path(self) -> None:
        self._choose_path()
        if self.threaded and not self._told_slow:
            self._told_slow = True
            _log.info("model runs in a thread", extra={"model": self._name, "mean_ms": round(self.pace.mean * 1e3, 2)})
