"""Whole records of the log's segments.

A segment consists of blocks, which count whole or not at all. A file without them, such as one that somebody made from
records that he wanted, has plain lines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from turnout_runtime.log.segments import blocks

_PIECE = 1024**2


class Piece(NamedTuple):
    """So many whole lines, and the bytes of the file that they are."""

    start: int
    end: int
    rows: int
    lines: bytes


def pieces(path: Path, start: int = 0) -> Iterator[Piece]:
    """All whole lines from byte `start`, where a block or a line begins; nothing when the file is gone."""
    with opened(path) as file:
        if file is not None:
            yield from map(Piece._make, blocks(file, start)) if framed(file) else _plain(file, start)


def framed(file: BinaryIO) -> bool:
    """Whether a file consists of blocks; an empty one does."""
    file.seek(0)
    return file.read(1) in (b"#", b"")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO | None]:
    """The file, also when it was sealed meanwhile; None when it was shipped or rotated away."""
    sealed = path.with_suffix("") if path.suffix == ".open" else path
    for name in dict.fromkeys((path, sealed)):
        try:
            file = name.open("rb")
        except FileNotFoundError:
            continue
        with file:
            yield file
        return
    yield None


def _plain(file: BinaryIO, start: int) -> Iterator[Piece]:
    """A torn last line is left out."""
    file.seek(start)
    rest: list[bytes] = []
    while piece := file.read(_PIECE):
        whole, newline, torn = piece.rpartition(b"\n")
        if newline:
            lines = b"".join((*rest, whole, newline))
            yield Piece(start, start + len(lines), lines.count(b"\n"), lines)
            start, rest = start + len(lines), []
        rest.append(torn)
