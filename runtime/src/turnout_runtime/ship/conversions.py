"""Runs conversions, one process at a time, and keeps the last few results for sinks that are not quite in step."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from turnout_runtime.log.segments import Segment
from turnout_runtime.ship.converted import Converted, Died, Failed, results
from turnout_runtime.ship.sink import SinkFailed

_KEPT, _AHEAD = 2, 32
_TRIES = 3  # of a segment on which the process dies without a word


class _Entry:
    """A segment's conversion, and how many wait for it or use it."""

    def __init__(self) -> None:
        self.made: asyncio.Future[Converted] = asyncio.get_running_loop().create_future()
        self.users = 0
        self.used = False

    def fail(self, error: SinkFailed) -> None:
        if not self.made.done():
            self.made.set_exception(error)
            self.made.exception()  # somebody may ask, or nobody

    @property
    def failed(self) -> bool:
        return self.made.done() and (self.made.cancelled() or self.made.exception() is not None)


class Conversions:
    """Segments of `directory` as Parquet in `spool`, a folder below it that is nobody else's; both are absolute."""

    def __init__(self, directory: Path, spool: Path, pod: str) -> None:
        self._directory, self._spool, self._pod = directory, spool, pod
        self._entries: dict[str, _Entry] = {}
        self._deaths: dict[str, int] = {}
        self._one = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, segments: Sequence[Segment]) -> AsyncIterator[Converted]:
        """The files of the first segment, which stay until the block's end; the others will be asked for next.

        Raises `SinkFailed` where another attempt may help.
        """
        stem = segments[0].stem
        if stem not in self._entries:
            self._start([segment for segment in segments if segment.stem not in self._entries])
        entry = self._entries[stem] = self._entries.pop(stem)  # the last again
        entry.users += 1
        try:
            yield await asyncio.shield(entry.made)
        finally:
            entry.users, entry.used = entry.users - 1, True
            self._trim()

    async def close(self) -> None:
        """End what still runs."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    def _start(self, segments: Sequence[Segment]) -> None:
        self._entries.update({segment.stem: _Entry() for segment in segments})
        job = asyncio.create_task(self._convert(segments))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _trim(self) -> None:
        """Let go of failures, and of all but the newest that were used, and that nobody came for."""
        idle = {stem: entry for stem, entry in self._entries.items() if not entry.users and entry.made.done()}
        failed = [stem for stem, entry in idle.items() if entry.failed]
        used = [stem for stem, entry in idle.items() if entry.used and not entry.failed]
        ahead = [stem for stem, entry in idle.items() if not entry.used and not entry.failed]
        for stem in (*failed, *used[:-_KEPT], *ahead[:-_AHEAD]):
            del self._entries[stem]
            shutil.rmtree(self._spool / stem, ignore_errors=True)

    async def _convert(self, segments: Sequence[Segment]) -> None:
        waiting = {segment.stem: self._entries[segment.stem] for segment in segments}
        try:
            async with self._one:
                async for stem, made in results(self._directory, segments, self._spool, self._pod):
                    self._set(stem, waiting.pop(stem), made)
        except OSError as error:
            self._fail(waiting, str(error))
        finally:
            self._fail(waiting, "the conversion was ended")

    def _set(self, stem: str, entry: _Entry, made: "Converted | Failed | Died") -> None:
        if isinstance(made, Died):
            made = self._died(stem, made)
        if isinstance(made, Failed):
            entry.fail(made.error)
        elif not entry.made.done():
            entry.made.set_result(made)

    def _fail(self, waiting: dict[str, _Entry], text: str) -> None:
        for entry in waiting.values():
            entry.fail(Failed.because(text).error)

    def _died(self, stem: str, made: Died) -> "Converted | Failed":
        """The container's memory may be short for a moment; a segment that always ends it must not stop all others."""
        self._deaths[stem] = self._deaths.get(stem, 0) + 1
        if self._deaths[stem] < _TRIES:
            return Failed.because(f"{made.how}: give the shipper more memory")
        del self._deaths[stem]
        return Converted(rejected=f"{made.how}, {_TRIES} times")
