"""What to do next with the segments of a directory: pure decisions over what lies there and what is delivered."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from turnout_runtime.log.segments import Segment


class Seen(NamedTuple):
    """A segment in the directory, and its size in bytes."""

    segment: Segment
    size: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """What has been delivered of a segment.

    `files` are the sinks that have all its files; `offsets` say up to which byte each stream has its rows. `rejected`
    says why it cannot be made into files, or not wholly; `unfit` that there are none of it.
    """

    files: frozenset[str] = frozenset()
    offsets: Mapping[str, int] = field(default_factory=dict)
    rejected: str | None = None
    unfit: bool = False

    def with_files(self, sink: str) -> "Delivered":
        """After the sink has got its files."""
        return replace(self, files=self.files | {sink})

    def with_rows(self, sink: str, offset: int) -> "Delivered":
        """After the sink has got its rows up to there."""
        return replace(self, offsets={**self.offsets, sink: offset})


NOTHING = Delivered()
_TOGETHER, _BYTES_TOGETHER = 32, 64 * 1024**2
Progress = Mapping[str, Delivered]
"""By the segments' stems."""


@dataclass(frozen=True, slots=True)
class Sinks:
    """The names of those that take files, and of those that take rows."""

    batch: Sequence[str]
    stream: Sequence[str]


def next_files(seen: Iterable[Seen], progress: Progress, sink: str) -> list[Segment]:
    """The oldest complete segment whose files the sink lacks, and those behind it that are worth the same effort."""
    there = sorted(item for item in _files(seen, progress, sink) if not item.segment.open)
    size, chosen = 0, list[Segment]()
    for segment, more in there[:_TOGETHER]:
        size += more
        if chosen and size > _BYTES_TOGETHER:
            break
        chosen.append(segment)
    return chosen


def next_rows(seen: Iterable[Seen], progress: Progress, sink: str) -> list[tuple[Seen, int]]:
    """Segments with rows that a stream lacks, oldest first, and where they begin."""
    return sorted(_rows(seen, progress, sink))


def finished(seen: Iterable[Seen], progress: Progress, sinks: Sinks) -> list[Segment]:
    """Complete segments that every sink has."""
    return [segment for segment, size in seen if not segment.open and _everywhere(segment, size, progress, sinks)]


def forgotten(seen: Iterable[Seen], progress: Progress) -> set[str]:
    """Stems of progress whose segment has gone."""
    return set(progress) - {segment.stem for segment, _ in seen}


def waiting(seen: Iterable[Seen], progress: Progress, sinks: Sinks, sink: str) -> list[tuple[Segment, int, int]]:
    """Segments with bytes that a sink lacks, oldest first, each with the first such byte and their number."""
    if sink in sinks.batch:
        return sorted((segment, 0, size) for segment, size in _files(seen, progress, sink) if size)
    return sorted((segment, start, size - start) for (segment, size), start in _rows(seen, progress, sink))


def _files(seen: Iterable[Seen], progress: Progress, sink: str) -> Iterator[Seen]:
    for item in seen:
        delivered = progress.get(item.segment.stem, NOTHING)
        if sink not in delivered.files and not delivered.unfit:
            yield item


def _rows(seen: Iterable[Seen], progress: Progress, sink: str) -> Iterator[tuple[Seen, int]]:
    for item in seen:
        start = progress.get(item.segment.stem, NOTHING).offsets.get(sink, 0)
        if start < item.size:
            yield item, start


def _everywhere(segment: Segment, size: int, progress: Progress, sinks: Sinks) -> bool:
    delivered = progress.get(segment.stem, NOTHING)
    files = delivered.unfit or delivered.files.issuperset(sinks.batch)
    return files and all(delivered.offsets.get(sink, 0) >= size for sink in sinks.stream)
