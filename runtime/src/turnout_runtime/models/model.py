"""One loaded model, whatever its format."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from turnout_runtime.config import Batching
from turnout_runtime.models.batch import Batcher
from turnout_runtime.models.outcome import AsyncRunner, Runner
from turnout_runtime.models.stats import ModelStats
from turnout_runtime.models.waiting import Answer
from turnout_runtime.workflow.features import Row


@dataclass(frozen=True, slots=True)
class Memory:
    """What a model takes of this process's memory, in bytes, as the kernel counts it; 0 where it was not measured.

    `resident`: loading it. `activation`: the peak of a run of one row beyond that, `batch`: of a full batch. Pages
    that the allocator had to spare do not show, so small models may have zeros. `resident` of a model on a server is
    what the server says that it took there.
    """

    resident: int = 0
    activation: int = 0
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a format's loader returns.

    `run` computes here and blocks; a model on a server has `remote` too, and serves by it, `slots` batches at a time.
    `width` is the length of a row, None where the file does not say. `max_rows` is the largest batch the model takes.
    `feature_names` are the names it was trained with, in order, where the file has them. `about` tells people more.
    `resident` is the memory of a model on a server, in bytes.
    """

    run: Runner
    width: int | None
    max_rows: int | None = None
    feature_names: tuple[str, ...] | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    remote: AsyncRunner | None = None
    slots: int = 1
    close: Callable[[], Awaitable[None]] | None = None
    resident: int | None = None


class Model:
    """A model that answers single rows and computes them in batches.

    Public to read: `name`, `path` (None for a model on a server), `width`, `feature_names`, `about`, `max_size` (rows
    of the largest batch), `load_seconds` and `warm_seconds`, `memory`, and `stats`, whose numbers grow as it serves.
    """

    def __init__(self, name: str, path: Path | None, loaded: Loaded, batching: Batching | None = None) -> None:
        batching = batching or Batching()
        if loaded.max_rows is not None and loaded.max_rows < batching.max_size:
            batching = batching.model_copy(update={"max_size": loaded.max_rows})
        self.name = name
        self.path = path
        self.width = loaded.width
        self.feature_names = loaded.feature_names
        self.about = loaded.about
        self.load_seconds = 0.0
        self.warm_seconds = 0.0
        self.memory = Memory()
        self._close = loaded.close
        self._batcher = Batcher(name, loaded.run, loaded.width, batching, remote=loaded.remote, slots=loaded.slots)
        self.max_size = self._batcher.max_size
        self.run: Runner = self._batcher.run
        self.stats: ModelStats = self._batcher.stats

    @property
    def waiting(self) -> int:
        """Rows that wait for their run now."""
        return self._batcher.waiting

    @property
    def threaded(self) -> bool:
        """Whether it is so slow that it runs in a thread of its own."""
        return self._batcher.threaded

    async def score(self, row: Row, remaining: float | None = None) -> float:
        """Score of one row, for a caller that has `remaining` seconds (None: no limit).

        Raises `WorkflowError` for a row of the wrong length, one that the model fails on, or a score that is not
        finite; `RequestTimeout` when a slow model or a server has no answer in time, or as soon as it is clear that
        it will not; `ModelUnavailable` when the server does not answer at all.
        """
        return await self._batcher.submit(row, remaining)

    def tell(self, answer: Answer, row: Row, remaining: float | None = None) -> None:
        """The same, told to `answer`; only the row of a wrong length is refused at once."""
        self._batcher.tell(answer, row, remaining)

    def measured(self, seconds: float, rows: int = 1, full: float | None = None) -> None:
        """Tell how long a warm run of one row takes, and one of `rows`: batches are planned by it from the first on."""
        self._batcher.seed(seconds, rows, full)

    async def close(self) -> None:
        """Give back threads, connections and shared memory; rows that still wait are not answered."""
        self._batcher.close()
        if self._close is not None:
            await self._close()
