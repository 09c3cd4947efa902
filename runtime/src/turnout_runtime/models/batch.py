"""Micro-batching that adds no delay: rows that arrive in one turn of the event loop are computed in one call.

Requests that wait for one another's CPU anyway share a model run, and a lone request never waits for company.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

from turnout_runtime.errors import WorkflowError
from turnout_runtime.workflow.features import Row

_Waiting = tuple[Row, "asyncio.Future[float]"]


class Batcher:
    """Collects rows of one model until the loop's next turn."""

    def __init__(self, name: str, run: Callable[[Sequence[Row]], Sequence[float]], width: int | None) -> None:
        self._name = name
        self._run = run
        self._width = width
        self._waiting: list[_Waiting] = []

    async def score(self, row: Row) -> float:
        """The row's finite score; raises `WorkflowError`, for this row alone."""
        if self._width is not None and len(row) != self._width:
            raise WorkflowError(f"model {self._name!r} takes {self._width} features, got {len(row)}")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[float] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((row, future))
        score = await future
        if not math.isfinite(score):
            raise WorkflowError(f"model {self._name!r} gave the score {score}, not a finite number")
        return score

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        live = [item for item in waiting if not item[1].done()]
        if live:
            self._compute(live)

    def _compute(self, batch: list[_Waiting]) -> None:
        try:
            scores = self._run([row for row, _ in batch])
        except Exception as error:
            self._separate(batch, error)
            return
        for (_, future), score in zip(batch, scores, strict=True):
            future.set_result(score)

    def _separate(self, batch: list[_Waiting], error: Exception) -> None:
        """A batch failed: find out which rows are to blame, so that the others get their answers."""
        if len(batch) == 1:
            failure = WorkflowError(f"model {self._name!r} failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            batch[0][1].set_exception(failure)
            return
        for item in batch:
            self._compute([item])
