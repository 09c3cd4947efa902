"""A row that waits for its run."""

import asyncio
from typing import TypeAlias

from turnout_runtime.workflow.features import Row

Waiting: TypeAlias = "tuple[Row, asyncio.Future[float], float, float | None, asyncio.TimerHandle | None]"
"""A row, its answer, until when it may be held, its deadline (both in the loop's time), and the deadline's timer."""
