"""Whole lines of the log's growing files: of one file, from a place in it, and of all of them as they grow."""

from collections.abc import Iterator
from pathlib import Path

from turnout_runtime.analysis.source import LogSource

_BLOCK = 1024**2


def blocks(path: Path, start: int = 0) -> Iterator[bytes]:
    """Blocks of whole lines from byte `start`; nothing when the file is gone. A torn last line is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:  # rotated away meanwhile
        return
    rest: list[bytes] = []
    with file:
        file.seek(start)
        while block := file.read(_BLOCK):
            whole, newline, torn = block.rpartition(b"\n")
            if newline:
                yield b"".join((*rest, whole, newline))
                rest = []
            rest.append(torn)


class Follower:
    """Hands out what is written to a log's JSON Lines, once each, file by file in the order of writing."""

    def __init__(self, source: LogSource, backlog: int) -> None:
        """Begin with about the last `backlog` lines of each file that is there now."""
        self._source = source
        self._places = {path: _begin(path, backlog) for path in source.lines}

    def new(self) -> list[bytes]:
        """Lines that were completed since the last call; also those of files that are new."""
        lines: list[bytes] = []
        for path in self._source.refresh():
            place = self._places.setdefault(path, 0)
            for block in blocks(path, place):
                place += len(block)
                lines += block.splitlines()
            self._places[path] = place
        return lines


def _begin(path: Path, backlog: int) -> int:
    """Where the last `backlog` whole lines of a file begin, as far as they lie in its last block."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            first = file.seek(max(0, size - _BLOCK))
            tail = file.read(size - first)
    except FileNotFoundError:
        return 0
    start = tail.rfind(b"\n") + 1
    for _ in range(backlog):
        start = tail.rfind(b"\n", 0, max(0, start - 1)) + 1
    if start == 0 and first > 0:  # the block begins in the middle of a line
        start = tail.find(b"\n") + 1
    return first + start
