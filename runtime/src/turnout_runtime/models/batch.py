"""Micro-batching: rows of different requests that wait anyway share a model run.

By default no delay is added. Rows that arrive in one turn of the event loop are computed in one call; while a slow
model runs in its thread, or on its server, the next batch gathers. A lone request never waits for company, unless
the configuration gives it a delay and its own time allows it.
"""

import asyncio
import logging
from asyncio import get_running_loop
from collections.abc import Callable, Sequence
from math import isfinite
from time import perf_counter
from typing import TypeAlias

from turnout_runtime.config import Batching
from turnout_runtime.errors import WorkflowError
from turnout_runtime.models.answers import Answers
from turnout_runtime.models.costs import Costs
from turnout_runtime.models.engine import Engine
from turnout_runtime.models.line import Hooks, Line
from turnout_runtime.models.outcome import (
    AsyncRunner,
    Outcome,
    Runner,
    failed,
    outcomes,
    padded,
    padded_remote,
    wrong_count,
)
from turnout_runtime.models.pace import QUICK, SLOW, Pace
from turnout_runtime.models.stats import ModelStats
from turnout_runtime.models.waiting import Answer, Waiting
from turnout_runtime.workflow.features import Row

_Fresh: TypeAlias = "tuple[Row, Answer, float | None]"
"""A row of this turn of the loop, its answer, and the seconds that are left for it."""

_log = logging.getLogger("turnout.models")


class Batcher:
    """Collects rows of one model and runs them in batches of at most `max_size`, in the order of their arrival.

    Quick runs happen on the event loop. Slow ones happen in a thread, one at a time. With `remote` they happen on a
    server, up to `slots` at a time. A row that has left the loop, or waits to, is given up at its deadline, or as soon
    as it is clear that it will not be answered by then. `clock` measures runs on the loop, in seconds.
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
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        batching = batching or Batching()
        alone = batching.strategy == "none"
        self.max_size = 1 if alone else batching.max_size
        self.stats = ModelStats()
        self.pace = Pace()
        self.costs = Costs()
        self._clock = clock
        self._answers = Answers(name, self.stats)
        self._name, self._width, self._slots = name, width, slots
        self._exact = fixed = batching.strategy == "fixed"
        self.run = padded(run, self.max_size) if fixed else run
        self._remote = padded_remote(remote, self.max_size) if remote is not None and fixed else remote
        self._delay = 0.0 if alone else batching.max_delay_seconds
        self._told_slow = False
        self._engine = Engine(name, self.run, self._note, clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reset()
        self._size_up()

    @property
    def waiting(self) -> int:
        """Rows that wait for their run."""
        return len(self._fresh) + self._line.waiting

    @property
    def threaded(self) -> bool:
        """Whether runs happen in a thread at present."""
        return self.pace.slow and self._remote is None

    def seed(self, seconds: float, rows: int = 1, full: float | None = None) -> None:
        """Begin with what warm-up measured for a run of one row, and for one of `rows`."""
        self.pace.seed(seconds)
        self.costs.seed(seconds, rows, full)
        self._size_up()
        self._choose_path()

    def close(self) -> None:
        """End the thread, if there is one."""
        self._engine.close()

    def submit(self, row: Row, remaining: float | None = None) -> "asyncio.Future[float]":
        """The row's finite score, in the future; its errors are for this row alone.

        Raises `WorkflowError` for a row of the wrong length. Call it on the event loop.
        """
        future: asyncio.Future[float] = get_running_loop().create_future()
        self.tell(future, row, remaining)
        return future

    def tell(self, future: Answer, row: Row, remaining: float | None = None) -> None:
        """The same for who brings something of their own to be told by."""
        if self._width is not None and len(row) != self._width:
            raise WorkflowError(f"model {self._name!r} takes {self._width} features, got {len(row)}")
        loop = get_running_loop()
        if loop is not self._loop:  # rows of a loop that has ended have nobody to answer to
            self._loop = loop
            self._reset()
        if not self._eager:
            self._queue(loop, row, future, remaining)
        elif self.max_size == 1:
            self._engine.here(loop, [(row, future, 0.0, None, None)])
        else:
            if not self._fresh:
                loop.call_soon(self._flush)
            self._fresh.append((row, future, remaining))

    def _reset(self) -> None:
        self._fresh: list[_Fresh] = []
        hooks = Hooks(self._begin, self._answers.refuse, self._choose_path)
        self._line = Line(self.max_size, self._slots, self.costs, hooks, exact=self._exact)
        self._choose_path()

    def _choose_path(self) -> None:
        """Without a delay and with runs on the loop there is nothing to keep track of: that is the hot path."""
        self._eager = self._delay == 0 and self._remote is None and not self.pace.slow and self._line.idle

    def _size_up(self) -> None:
        """How many rows of one turn may run on the loop: those behind many others need their deadlines watched."""
        self._room = self.costs.within(SLOW)
        self._at_once = min(self._room, self.max_size)

    def _flush(self) -> None:
        """Run what arrived in this turn of the loop; after a full batch others have a turn first.

        Each instruction here is paid by every prediction, so this says in one place what the line's way says in many.
        """
        fresh, self._fresh = self._fresh, []
        if len(fresh) > self._at_once:
            fresh = self._cut(fresh)
        rows, futures = [], []
        for row, future, _ in fresh:
            if not future.done():
                rows.append(row)
                futures.append(future)
        if not rows:
            return
        started = self._clock()
        try:
            scores: Sequence[Outcome] = self.run(rows)
        except Exception:  # rare, so that finding the row to blame may run the batch once more
            scores = outcomes(self.run, rows)
        seconds = self._clock() - started
        self.stats.add(len(rows), seconds)
        if seconds > QUICK or self.pace.mean > QUICK:  # else it has nothing to tell
            self._learn(len(rows), seconds, seconds, scores)
        if len(scores) != len(rows):
            scores = [wrong_count(scores, rows)] * len(rows)
        for future, score in zip(futures, scores):  # noqa: B905  # of one length
            if future.done():  # who was told before this one goes on at once, and may have ended it
                continue
            if type(score) is float and isfinite(score):
                future.set_result(score)
            else:
                self._answers.fail(future, score)

    def _cut(self, fresh: list[_Fresh]) -> list[_Fresh]:
        """The part of too many rows to run now: a full batch, or none where the last ones would wait for long."""
        loop = get_running_loop()
        if len(fresh) <= self._room:
            self._fresh = fresh[self.max_size :]
            loop.call_soon(self._flush)
            return fresh[: self.max_size]
        self._eager, self._fresh = False, fresh
        self._line_up(loop)
        return []

    def _line_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Put the rows of this turn in line."""
        fresh, self._fresh = self._fresh, []
        for row, future, remaining in fresh:
            self._queue(loop, row, future, remaining)

    def _queue(self, loop: asyncio.AbstractEventLoop, row: Row, future: Answer, remaining: float | None) -> None:
        now = loop.time()
        if remaining is None:
            self._line.put(loop, (row, future, now + self._delay, None, None))
            return
        hold = self._delay if remaining > self._delay + self.costs.need(self.max_size) else 0.0
        alarm = loop.call_later(remaining, self._answers.give_up, future, remaining)
        self._line.put(loop, (row, future, now + hold, now + remaining, alarm))

    def _begin(self, batch: list[Waiting]) -> bool:
        """Start a batch of the line; whether it goes on beside the loop."""
        assert self._loop is not None
        if self._remote is not None:
            self._engine.there(self._loop, batch, self._line.release, self._remote)
        elif self.pace.slow or self.costs.time(len(batch)) > SLOW:
            self._engine.apart(self._loop, batch, self._line.release)
        else:
            self._engine.here(self._loop, batch)
            return False
        return True

    def _note(self, batch: list[Waiting], scores: Sequence[Outcome], seconds: float, whole: float) -> None:
        """Answer a batch of the line; the engine says how long it took."""
        self.stats.add(len(batch), seconds)
        self._learn(len(batch), seconds, whole, scores)
        self._answers.give(batch, scores)

    def _learn(self, rows: int, seconds: float, whole: float, scores: Sequence[Outcome]) -> None:
        slow = self.pace.slow
        self.pace.observe(seconds)
        if not any(map(failed, scores)):
            self.costs.observe(rows, whole)
            self._size_up()
        if self.pace.slow is not slow:
            self._change_path()

    def _change_path(self) -> None:
        self._choose_path()
        if self._fresh and not self._eager:
            self._line_up(get_running_loop())
        if self.threaded and not self._told_slow:
            self._told_slow = True
            _log.info("model runs in a thread", extra={"model": self._name, "mean_ms": round(self.pace.mean * 1e3, 2)})
