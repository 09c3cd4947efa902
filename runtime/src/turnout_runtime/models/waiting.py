"""A row that waits for its run."""

import asyncio
from typing import Protocol, TypeAlias

from turnout_runtime.workflow.features import Row


class Answer(Protocol):
    """What is told a row's score: a future, or what does as much as is asked of it here."""

    def done(self) -> bool:
        """Whether nobody waits any more."""

    def set_result(self, score: float, /) -> None:
        """The score is there; this may run whatever waited for it."""

    def set_exception(self, error: Exception, /) -> None:
        """There will be none."""


Waiting: TypeAlias = "tuple[Row, Answer, float, float | None, asyncio.TimerHandle | None]"
"""A row, its answer, until when it may be held, its deadline (both in the loop's time), and the deadline's timer."""
