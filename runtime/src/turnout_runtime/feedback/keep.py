"""Keeps feedback in segments of its own: whoever sent it is told when it is with the kernel, and not before.

Rows that come while others are being written are written together, as one block: all of them are kept, or none.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from turnout_runtime.errors import BodyTooLarge, FeedbackNotKept
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.log")
_TOGETHER = 1024**2  # bytes of rows in one block, if they are of several requests
BUFFER = 16 * 1024**2
"""Bytes of rows that may wait for the disk."""


class Segments(Protocol):
    """Where blocks of lines go; called from one thread at a time."""

    @property
    def longest(self) -> int:
        """Bytes of lines that may be appended at once."""

    def append(self, lines: Sequence[bytes]) -> object:
        """Write all of the lines as one block, or raise `OSError` and leave nothing of them."""


class _Batch:
    """Rows that are written together."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.size = 0
        self.kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FeedbackLog:
    """The feedback of one process. It has a thread only once there is something to write."""

    def __init__(self, segments: Segments, limit: int = BUFFER) -> None:
        """`limit` is how many bytes may wait."""
        self._segments, self._limit = segments, limit
        self._waiting: deque[_Batch] = deque()
        self._held = 0
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._jobs: SimpleQueue[_Batch | None] | None = None
        self._throttle = Throttle(10.0)

    async def keep(self, lines: Sequence[bytes]) -> None:
        """Wait until the rows (JSON lines, newline included) are with the kernel.

        Raises `FeedbackNotKept` when too much waits for the disk already, or when that refuses, and `BodyTooLarge` for
        more than a segment holds; then none is kept.
        """
        size = sum(map(len, lines))
        if size > self._segments.longest:
            raise BodyTooLarge("the rows are larger than a segment of the log (predictionLog.rotate.size)")
        if self._held + size > self._limit:
            raise FeedbackNotKept("the log's disk is behind; try again later")
        batch = self._batch(size)
        batch.lines += lines
        batch.size += size
        self._held += size
        if not self._busy:
            self._write_next()
        await asyncio.shield(batch.kept)  # a caller that goes away takes nobody else's rows along

    async def close(self, timeout: float) -> bool:
        """Wait for what is being written, for at most `timeout` seconds; whether all of it was."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        if self._jobs is not None:
            self._jobs.put(None)
        return True

    def _batch(self, size: int) -> _Batch:
        """The last one, if so much may still join it."""
        most = min(_TOGETHER, self._segments.longest)
        if not self._waiting or self._waiting[-1].size + size > most:
            self._waiting.append(_Batch())
        return self._waiting[-1]

    def _write_next(self) -> None:
        if self._jobs is None:
            self._jobs = SimpleQueue()
            writing = partial(self._write_all, self._jobs, asyncio.get_running_loop())
            threading.Thread(target=writing, name="feedback", daemon=True).start()  # a disk that hangs holds no end up
        self._busy = True
        self._idle.clear()
        self._jobs.put(self._waiting.popleft())

    def _write_all(self, jobs: "SimpleQueue[_Batch | None]", loop: asyncio.AbstractEventLoop) -> None:
        """The thread."""
        while (batch := jobs.get()) is not None:
            failed: OSError | None = None
            try:
                self._segments.append(batch.lines)
            except OSError as error:
                failed = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._written, batch, failed)

    def _written(self, batch: _Batch, failed: OSError | None) -> None:
        self._held -= batch.size
        if failed is None:
            batch.kept.set_result(None)
        else:
            self._refused(batch, failed)
        self._busy = bool(self._waiting)
        if self._busy:
            self._write_next()
        else:
            self._idle.set()

    def _refused(self, batch: _Batch, error: OSError) -> None:
        if self._throttle.allows("write"):
            _log.error("cannot keep feedback", extra={"error": str(error)})
        batch.kept.set_exception(FeedbackNotKept(f"the log's disk refuses: {error.strerror}; try again later"))
        batch.kept.exception()  # looked at, also where every caller has gone
