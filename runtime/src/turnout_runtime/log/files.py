"""The log's files: appended to, rotated by size, and never more of them than allowed."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_NAME = re.compile(r"predictions-(\d{8}T\d{9}Z)-(\d+)-(\d+)\.jsonl")


def log_files(directory: Path) -> list[Path]:
    """The directory's log files, oldest first."""
    found = [(match, path) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))]
    return [path for match, path in sorted(found, key=lambda item: _order(item[0]))]


def _order(match: re.Match[str]) -> tuple[str, int, int]:
    return match[1], int(match[2]), int(match[3])


class LogFiles:
    """Appends whole chunks of lines to files of at most `max_bytes`, of which at most `max_files` are kept.

    Files that an earlier process left in the directory count, and so do those of other processes that write there now;
    whichever was written to least recently goes first.
    """

    def __init__(self, directory: Path, max_bytes: int, max_files: int) -> None:
        now = datetime.now(UTC)
        self._prefix = f"predictions-{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{os.getpid()}"
        self._directory, self._max_files = directory, max_files
        self.max_bytes = max_bytes
        self._number = 0
        self._size = 0
        self._file: int | None = None

    @property
    def room(self) -> int:
        """Bytes that still fit in the current file."""
        return self.max_bytes - self._size if self._file is not None else 0

    def append(self, chunk: bytes) -> None:
        """Write all of the chunk (at most `max_bytes`) into one file, or raise `OSError` and leave nothing of it."""
        if self._file is None or len(chunk) > self.room or os.fstat(self._file).st_nlink == 0:
            self._rotate()  # also when another process had to make place, and this file was the oldest
        assert self._file is not None
        try:
            self._write(self._file, chunk)
        except OSError:
            self._undo()
            raise
        self._size += len(chunk)

    @staticmethod
    def _write(file: int, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(file, rest) :]

    def _undo(self) -> None:
        """Cut off a chunk that was written in part; a file that refuses even that is left for a new one."""
        assert self._file is not None
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self.close()

    def _rotate(self) -> None:
        self.close()
        self._prune()
        self._number += 1
        path = self._directory / f"{self._prefix}-{self._number}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._size = 0

    def _prune(self) -> None:
        """Make place for one more file, by count and by bytes."""
        files = sorted(_stats(self._directory), key=lambda item: item[1].st_mtime_ns)
        total = sum(stat.st_size for _, stat in files)
        while files and (len(files) >= self._max_files or total > self.max_bytes * (self._max_files - 1)):
            path, stat = files.pop(0)
            path.unlink(missing_ok=True)
            total -= stat.st_size

    def close(self) -> None:
        """Close the current file; the next append opens another."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _stats(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in log_files(directory):
        with suppress(FileNotFoundError):  # another process has pruned meanwhile
            yield path, path.stat()
