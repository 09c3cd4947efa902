"""Writes segments: blocks appended, sealed by size and age, and never more of them than allowed."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from turnout_runtime.log.read import blocks_of
from turnout_runtime.log.segments import HEADER, KINDS, Kind, Segment, header, moment, segment_of

_MOST = 1024  # files, however small: they are sealed by age, too


class DirectoryFull(OSError):
    """The log has all the room that it may have."""

    def __init__(self) -> None:
        super().__init__(errno.EDQUOT, "the log's directory is full")


def _utc() -> datetime:
    return datetime.now(UTC)


class LogFiles:
    """Appends blocks to segments of at most `max_bytes`; all in the directory have at most `max_files` times that.

    What earlier and other processes have left there counts. The oldest sealed segments make room for new rows, or, with
    `keep_oldest`, new rows are refused while there is none. May be used by several threads.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        max_files: int,
        *,
        kind: Kind = "predictions",
        max_age: float = 60.0,
        sync: bool = False,
        keep_oldest: bool = False,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc,
    ) -> None:
        """`max_age` in seconds; with `sync` a block is on the disk, not only with the kernel, when `append` returns."""
        self._name, self._now = Segment(moment(now()), os.getpid(), 0, kind, open=True), now
        self.directory, self._max_bytes, self._max_files = directory, max_bytes, max_files
        self._max_age, self._sync, self._keep_oldest, self._clock = max_age, sync, keep_oldest, clock
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = self._rows = 0
        self._began = 0.0
        self._sealed: dict[Path, int] = {}
        self.written_bytes = 0
        self.pruned = 0
        """Rows that had to make room."""

    @property
    def longest(self) -> int:
        """Bytes of the longest line that fits."""
        return self._max_bytes - HEADER

    def append(self, lines: Sequence[bytes]) -> None:
        """Write the lines as one block: see `append_block`."""
        self.append_block(b"".join(lines), len(lines))

    def append_block(self, payload: bytes | memoryview, rows: int) -> None:
        """Write so many lines, of at most `longest` bytes, as one block.

        Raises `OSError`, `DirectoryFull` among them, and leaves nothing of them then.
        """
        head = header(payload, rows)
        size = len(head) + len(payload)
        with self._lock:
            if self._file is None or size > self._max_bytes - self._size or not os.fstat(self._file).st_nlink:
                self._begin()  # also where somebody has deleted it
            assert self._file is not None
            try:
                self._write(self._file, head, payload)
                if self._sync:
                    os.fdatasync(self._file)
            except OSError:
                self._undo()
                raise
            self._size += size
            self._rows += rows
            self.written_bytes += size

    def seal_old(self) -> None:
        """Seal the current segment if it is old enough."""
        with self._lock:
            if self._file is not None and self._clock() - self._began >= self._max_age:
                self._seal()

    def seal(self) -> None:
        """Complete the current segment; the next append begins another."""
        with self._lock:
            self._seal()

    @staticmethod
    def _write(file: int, head: bytes, payload: bytes | memoryview) -> None:
        written = os.writev(file, (head, payload))
        if written < len(head) + len(payload):
            rest = memoryview(head + bytes(payload))[written:]
            while rest:
                rest = rest[os.write(file, rest) :]

    def _undo(self) -> None:
        """Cut off a block that was written in part; readers skip one that refuses even that."""
        assert self._file is not None
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._abandon()

    def _abandon(self) -> None:
        """Leave the file as it is: it is recovered as that of a dead writer."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # a network's volume tells a failed write so: the log goes on in another file
                os.close(file)

    def _begin(self) -> None:
        self._seal()
        self._make_room()
        while (file := self._created()) is None:
            continue
        self._file, self._size, self._rows, self._began = file, 0, 0, self._clock()
        self._settle()

    def _created(self) -> int | None:
        """A new segment, locked; None where the name is taken, or somebody took it for that of a dead writer.

        It has the time at which it begins: segments of several processes are told apart by age. A clock that goes back
        does not change their order.
        """
        started = max(self._name.started, moment(self._now()))
        self._name = self._name._replace(started=started, number=self._name.number + 1)
        if (self.directory / self._name._replace(open=False).name).exists():
            return None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            file = os.open(self.directory / self._name.name, flags, 0o644)
        except FileExistsError:
            return None
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)
        return None

    def _seal(self) -> None:
        """A segment that refuses is left to be recovered."""
        if self._file is None:
            return
        path = self.directory / self._name.name
        sealed = self.directory / self._name._replace(open=False).name
        with suppress(OSError):
            if not self._rows:
                path.unlink()
            elif os.fstat(self._file).st_nlink:
                path.rename(sealed)
                self._sealed[sealed] = self._rows
                self._settle()
        self._abandon()

    def _settle(self) -> None:
        """Have the directory's entries on the disk, too."""
        if self._sync:
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _make_room(self) -> None:
        """For one more segment. Those that others write count as full: they will be."""
        there = self._there()
        total = sum(max(size, self._max_bytes) if segment.open else size for segment, _, size in there)
        most = max(_MOST, self._max_files)
        sealed = sorted((segment, path, size) for segment, path, size in there if not segment.open)
        count = len(there)
        while total > self._max_bytes * (self._max_files - 1) or count >= most:
            if self._keep_oldest:
                raise DirectoryFull
            if not sealed:
                break
            _, path, size = sealed.pop(0)
            if self._prune(path):
                total, count = total - size, count - 1

    def _there(self) -> list[tuple[Segment, Path, int]]:
        found = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if (segment := segment_of(entry.name)) is not None and segment.kind in KINDS:
                    with suppress(FileNotFoundError):  # another process has pruned or sealed it meanwhile
                        found.append((segment, Path(entry.path), entry.stat().st_size))
        names = {path for _, path, _ in found}
        self._sealed = {path: rows for path, rows in self._sealed.items() if path in names}
        return found

    def _prune(self, path: Path) -> bool:
        """Delete it, and count its rows; False for one that a shipper is just delivering."""
        known = self._sealed.pop(path, None)
        rows = sum(block.rows for block in blocks_of(path)) if known is None else known
        with suppress(FileNotFoundError):  # another process was faster, and has counted them
            if not _deleted(path):
                self._sealed[path] = rows
                return False
            self.pruned += rows
        return True


def _deleted(path: Path) -> bool:
    """Delete a sealed segment unless somebody has a lock on it: its rows shall not be counted as lost, and arrive."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
