"""A log as it grows."""

from collections import deque
from pathlib import Path

from turnout_runtime.analysis.source import LogSource
from turnout_runtime.log.read import blocks_of


class Follower:
    """Hands out what is written to a log's segments, once each, file by file in the order of writing."""

    def __init__(self, source: LogSource, backlog: int) -> None:
        """Begin with about the last `backlog` lines of each file that is there now."""
        self._source = source
        self._places = {_key(path): _begin(path, backlog) for path in source.lines}

    def new(self) -> list[bytes]:
        """Lines that were completed since the last call; also those of files that are new."""
        lines: list[bytes] = []
        for path in self._source.refresh():
            key = _key(path)
            for piece in blocks_of(path, self._places.setdefault(key, 0)):
                lines += piece.payload.splitlines()
                self._places[key] = piece.end
        return lines


def _key(path: Path) -> str:
    """A segment is the same one when it is sealed."""
    return str(path).removesuffix(".open")


def _begin(path: Path, backlog: int) -> int:
    """Where the pieces begin that hold the last `backlog` lines."""
    starts: deque[tuple[int, int]] = deque()
    held = end = 0
    for piece in blocks_of(path):
        starts.append((piece.offset, piece.rows))
        held, end = held + piece.rows, piece.end
        while starts and held - starts[0][1] >= backlog:
            held -= starts.popleft()[1]
    return starts[0][0] if starts and backlog else end
