"""What lies in the log's directory, and what of it has been delivered: the state that all sinks share."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from turnout_runtime.log.segments import Segment, segment_of
from turnout_runtime.ship.plan import NOTHING, Delivered, Seen, Sinks, finished, forgotten
from turnout_runtime.ship.progress import ProgressFiles

_log = logging.getLogger("turnout.ship")
REJECTED_KEPT = 8
"""Segments; the operator leaves room for them in the pod's volume."""


class Backlog:
    """Segments by stem, and progress; everything happens on one event loop."""

    def __init__(self, directory: Path, sinks: Sinks, progress: ProgressFiles) -> None:
        self.directory, self.sinks = directory, sinks
        self._files, self.progress = progress, progress.load()
        self._seen: dict[str, Seen] = {}
        self._wakers: list[asyncio.Event] = []
        self._skipped: dict[str, int] = {}
        self._unsaved: set[str] = set()
        self.rejected_segments = self.skipped_bytes = 0

    @property
    def seen(self) -> list[Seen]:
        """The segments that are there."""
        return list(self._seen.values())

    def waker(self) -> asyncio.Event:
        """An event that is set whenever there may be something new to do."""
        event = asyncio.Event()
        self._wakers.append(event)
        return event

    def wake(self) -> None:
        """Have everybody look again."""
        for event in self._wakers:
            event.set()

    def scan(self) -> None:
        """Look what is there; raises `OSError` when the directory cannot be read."""
        found: dict[str, Seen] = {}
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if (segment := segment_of(entry.name)) is not None and (seen := self._look_at(segment)) is not None:
                    found[segment.stem] = seen
        changed, self._seen = found != self._seen, found
        if changed:
            self.wake()

    def _look_at(self, listed: Segment) -> Seen | None:
        """A segment as it is now, also when it was sealed meanwhile; None when it has gone."""
        for segment in (listed, listed._replace(open=False)):
            with suppress(FileNotFoundError):
                return Seen(segment, (self.directory / segment.name).stat().st_size)
        return None

    def got_files(self, segment: Segment, sink: str) -> None:
        """The sink has all files of the segment."""
        self._change(segment.stem, lambda now: now.with_files(sink), save=True)

    def got_rows(self, stem: str, sink: str, offset: int, *, save: bool) -> None:
        """The sink has the segment's rows up to there."""
        self._change(stem, lambda now: now.with_rows(sink, offset), save=save)

    def reject(self, segment: Segment, why: str, *, unfit: bool) -> None:
        """What cannot be made into files stays on this disk; told and counted once for each segment."""
        before = self.progress.get(segment.stem, NOTHING)
        if before.rejected is None:
            self.rejected_segments += 1
            _log.error("a segment of the log is rejected", extra={"segment": segment.name, "reason": why})
        files, offsets = before.files, before.offsets
        self._change(segment.stem, lambda _: Delivered(files, offsets, why, unfit), save=True)

    def skipped(self, segment: Segment, size: int) -> None:
        """So many bytes of the segment belong to no whole block: told and counted once."""
        if segment.stem not in self._skipped:
            self._skipped[segment.stem] = size
            self.skipped_bytes += size
            _log.error("a segment of the log is damaged", extra={"segment": segment.name, "bytes": size})

    def save(self) -> None:
        """Remember how far the streams are."""
        for stem in self._unsaved & self.progress.keys():
            self._files.save(stem, self.progress[stem])
        self._unsaved.clear()

    def tidy(self) -> None:
        """Take away what every sink has, or, where it was rejected, put it aside; forget what has gone."""
        for segment in finished(self.seen, self.progress, self.sinks):
            path = self.directory / segment.name
            if self.progress.get(segment.stem, NOTHING).rejected is None:
                path.unlink(missing_ok=True)
            else:
                _put_aside(path)
            del self._seen[segment.stem]
            self._skipped.pop(segment.stem, None)
        for stem in forgotten(self.seen, self.progress):
            self._files.forget(stem)
            del self.progress[stem]

    def _change(self, stem: str, change: Callable[[Delivered], Delivered], *, save: bool) -> None:
        self.progress[stem] = change(self.progress.get(stem, NOTHING))
        if save:
            self._files.save(stem, self.progress[stem])
        else:
            self._unsaved.add(stem)


def _put_aside(path: Path) -> None:
    """To `rejected`, where the newest few stay for somebody to look at."""
    folder = path.parent / "rejected"
    folder.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        path.rename(folder / path.name)
    there = sorted((segment, path) for path in folder.iterdir() if (segment := segment_of(path.name)))
    for _, old in there[:-REJECTED_KEPT]:
        old.unlink(missing_ok=True)
        _log.error("the oldest rejected segment is deleted to make room", extra={"segment": old.name})
