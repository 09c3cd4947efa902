"""The two kinds of lanes: complete segments as files, and rows as they come."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from turnout_runtime.log.read import blocks_of
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.backoff import Backoff
from turnout_runtime.ship.conversions import Conversions
from turnout_runtime.ship.converted import Converted
from turnout_runtime.ship.held import held
from turnout_runtime.ship.lane import Lane
from turnout_runtime.ship.naming import place_of
from turnout_runtime.ship.plan import Seen, next_files, next_rows
from turnout_runtime.ship.sink import BatchSink, Position, StreamSink

_AT_ONCE = 1024**2
"""Bytes of rows that a stream is given at once, if a block has no more."""


class FileLane(Lane):
    """Exactly once: names follow from the segment, and it counts as delivered when all its files are there."""

    def __init__(
        self, name: str, backlog: Backlog, backoff: Backoff, sink: BatchSink, conversions: Conversions
    ) -> None:
        super().__init__(name, backlog, backoff)
        self._sink, self._conversions = sink, conversions
        self.scopes: set[str] = set()
        """Namespaces and objectives whose files went there since the start."""

    async def deliver(self) -> bool:
        """See `Lane`: the oldest segment."""
        segments = next_files(self.backlog.seen, self.backlog.progress, self.name)
        if not segments:
            return False
        segment = segments[0]
        with held(self.backlog.directory / segment.name):
            async with self._conversions.of(segments) as made:
                for file in made.files:
                    await self._sink.put(file)
            if made.damaged:
                self.backlog.skipped(segment, made.damaged)
            if made.rejected is not None:
                self.backlog.reject(segment, made.rejected, unfit=not made.files)
            self.backlog.got_files(segment, self.name)
        self._count(made)
        self.backlog.tidy()
        return True

    def _count(self, made: Converted) -> None:
        self.counts.delivered(sum(file.rows for file in made.files), sum(file.bytes for file in made.files))
        for file in made.files:
            if (place := place_of(file.name)) is not None:
                self.scopes.add(place.scope)


class Chunk(NamedTuple):
    """Rows of whole blocks, and the byte of the segment that they end at."""

    rows: list[bytes]
    end: int


class RowLane(Lane):
    """At least once: what was acknowledged before a crash, and not yet remembered, comes again."""

    def __init__(self, name: str, backlog: Backlog, backoff: Backoff, sink: StreamSink) -> None:
        super().__init__(name, backlog, backoff)
        self._sink = sink
        self._looked: dict[str, Seen] = {}

    async def deliver(self) -> bool:
        """See `Lane`: a piece of each segment that has rows."""
        work = next_rows(self.backlog.seen, self.backlog.progress, self.name)
        self._looked = {seen.segment.stem: seen for seen, _ in work if self._looked.get(seen.segment.stem) == seen}
        delivered = False
        for seen, start in work:
            if seen.segment.stem not in self._looked:
                delivered = await self._piece(seen, start) or delivered
        return delivered

    async def _piece(self, seen: Seen, start: int) -> bool:
        segment = seen.segment
        chunk = await asyncio.to_thread(chunk_of, self.backlog.directory / segment.name, start)
        if chunk.rows:
            sent = await self._sink.send(chunk.rows, Position(segment.stem, chunk.end))
            self.counts.delivered(sent, sum(map(len, chunk.rows)))
            self.counts.refused += len(chunk.rows) - sent
            self.backlog.got_rows(segment.stem, self.name, chunk.end, save=False)
        elif segment.open:
            self._looked[segment.stem] = seen  # a block that is being written: nothing to do until it has grown
        else:
            self.backlog.got_rows(segment.stem, self.name, seen.size, save=True)  # damage at the end
            self.backlog.tidy()
            return True
        if not segment.open and chunk.end >= seen.size:
            self.backlog.tidy()
        return bool(chunk.rows)


def chunk_of(path: Path, start: int) -> Chunk:
    """The next rows of a segment from byte `start`; none where no whole block is left."""
    rows, size, end = list[bytes](), 0, start
    for block in blocks_of(path, start):
        rows += block.payload.splitlines(keepends=True)
        size, end = size + len(block.payload), block.end
        if size >= _AT_ONCE:
            break
    return Chunk(rows, end)
