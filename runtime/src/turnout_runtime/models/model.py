"""One loaded model, whatever its format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from turnout_runtime.models.batch import Batcher
from turnout_runtime.workflow.features import Row

Runner = Callable[[Sequence[Row]], Sequence[float]]
"""Scores of a batch of equally long rows, in their order. Blocks; runs on the event loop, so it must be short."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a format's loader returns: the runner, and the length of its rows (None where the file does not say)."""

    run: Runner
    width: int | None


class Model:
    """A model that answers single rows and computes them in batches."""

    def __init__(self, name: str, path: Path, loaded: Loaded) -> None:
        self.name = name
        self.path = path
        self.width = loaded.width
        self.run = loaded.run
        self._batcher = Batcher(name, loaded.run, loaded.width)

    async def score(self, row: Row, remaining: float | None = None) -> float:
        """Score of one row, for a caller that has `remaining` seconds (None: no limit).

        Raises `WorkflowError` for a row of the wrong length or a score that is not finite.
        """
        return await self._batcher.score(row)
