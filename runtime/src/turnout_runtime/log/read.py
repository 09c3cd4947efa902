"""Reads a log's segments, also while they are written: whole blocks, and nothing else.

Files without blocks, plain JSON Lines as older runtimes wrote them, are read by whole lines.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from turnout_runtime.log.segments import OPEN, SEALED, Block, Kind, blocks, segment_of

_PIECE = 1024**2


def log_files(directory: Path, kind: Kind = "predictions") -> list[Path]:
    """The directory's segments of a kind, sealed and open ones, oldest first; raises `OSError`."""
    found = {}
    for _ in range(2):  # a listing may miss a file that is renamed meanwhile, but only once
        for path in directory.iterdir():
            segment = segment_of(path.name)
            if segment is not None and segment.kind == kind and (segment.stem not in found or not segment.open):
                found[segment.stem] = segment, path
    return [path for _, path in sorted(found.values())]


def rows(directory: Path, kind: Kind = "predictions") -> Iterator[bytes]:
    """Pieces of whole rows, oldest first: JSON lines, each with its newline. Skips a segment that has just gone.

    Raises `OSError` when the directory cannot be read.
    """
    for path in log_files(directory, kind):
        for block in blocks_of(path):
            yield block.payload


def blocks_of(path: Path, start: int = 0) -> Iterator[Block]:
    """The whole blocks of a segment from byte `start`, which is 0 or the end of a block; none when it has gone.

    The end of the last is where a later call may go on, also when the segment has been sealed since.
    """
    file = _opened(path)
    if file is not None:
        with file:
            yield from _whole_lines(file, start) if file.read(1) == b"{" else blocks(file, start)


def _opened(path: Path) -> BinaryIO | None:
    """The file, or what it was renamed to when it was sealed."""
    for name in (path, path.with_name(path.name.removesuffix(OPEN) + SEALED)):
        try:
            return name.open("rb")
        except FileNotFoundError:
            continue
    return None


def _whole_lines(file: BinaryIO, place: int) -> Iterator[Block]:
    file.seek(place)
    rest = list[bytes]()
    while piece := file.read(_PIECE):
        whole, newline, torn = piece.rpartition(b"\n")
        if newline:
            payload = b"".join((*rest, whole, newline))
            yield Block(place, place + len(payload), payload.count(b"\n"), payload)
            place, rest = place + len(payload), []
        rest.append(torn)
