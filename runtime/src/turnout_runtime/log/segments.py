"""The log's segments: what they are called, and the blocks that they are made of. Pure: the caller opens the files.

A process appends blocks to a segment of its own, `<kind>-<time>-<pid>-<number>.jsonl.open`, and drops the `.open` when
it is complete. A block is a line `#<rows> <bytes> <crc32>` and so many bytes of JSON lines. A block counts whole or not
at all, so what a crash or a bad disk leaves behind is never taken for a record.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Literal, NamedTuple
from zlib import crc32

Kind = Literal["predictions", "feedback"]
KINDS: tuple[Kind, ...] = ("predictions", "feedback")
SEALED, OPEN = ".jsonl", ".jsonl.open"
_NAME = re.compile(r"(predictions|feedback)-(\d{8}T\d{9}Z)-(\d+)-(\d+)\.jsonl(\.open)?")
_HEADER = re.compile(rb"#(\d{1,9}) (\d{1,12}) ([0-9a-f]{8})\n")
HEADER = len("#123456789 123456789012 01234567\n")
"""Bytes of the longest header."""
_PIECE = 1024**2


class Segment(NamedTuple):
    """A segment's name in parts; their order is that of writing. `started` is UTC, to the millisecond."""

    started: str
    pid: int
    number: int
    kind: Kind
    open: bool

    @property
    def stem(self) -> str:
        """The name without its ending: the same while it is written and after."""
        return f"{self.kind}-{self.started}-{self.pid}-{self.number}"

    @property
    def name(self) -> str:
        """The file's name."""
        return self.stem + (OPEN if self.open else SEALED)


def segment_of(name: str) -> Segment | None:
    """The parts of a file's name; None for what is no segment."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    kind: Kind = "feedback" if match[1] == "feedback" else "predictions"
    return Segment(match[2], int(match[3]), int(match[4]), kind, match[5] is not None)


def moment(now: datetime) -> str:
    """A time (UTC) as segments' names have it."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"


class Block(NamedTuple):
    """So many JSON lines, each with its newline, and the bytes of the file from their header to their end."""

    offset: int
    end: int
    rows: int
    payload: bytes


def frame(lines: Sequence[bytes]) -> bytes:
    """The lines, each with its newline, as a block."""
    payload = b"".join(lines)
    return header(payload, len(lines)) + payload


def header(payload: bytes | memoryview, rows: int) -> bytes:
    """What comes before so many lines in a block."""
    return b"#%d %d %08x\n" % (rows, len(payload), crc32(payload))


def blocks(file: BinaryIO, start: int = 0) -> Iterator[Block]:
    """The whole blocks from byte `start`, where one must begin; what is damaged or torn is left out.

    A gap between the end of one and the offset of the next is damage. What follows the last is torn off, or just being
    written: a later call from that end finds it.
    """
    place: int | None = start
    while place is not None:
        block = _block_at(file, place)
        if block is None:
            place = _next(file, place)
        else:
            yield block
            place = block.end


def _block_at(file: BinaryIO, place: int) -> Block | None:
    file.seek(place)
    match = _HEADER.fullmatch(file.readline(HEADER))
    if match is None:
        return None
    rows, size = int(match[1]), int(match[2])
    left = file.seek(0, 2) - place - match.end()
    if size > left:
        return None
    file.seek(place + match.end())
    payload = file.read(size)
    if len(payload) < size or crc32(payload) != int(match[3], 16) or payload.count(b"\n") != rows:
        return None
    return Block(place, place + match.end() + size, rows, payload)


def _next(file: BinaryIO, place: int) -> int | None:
    """Where the next thing that looks like a header begins; no JSON line ends like one."""
    begin = place + 1
    file.seek(begin)
    rest = b""
    while piece := file.read(_PIECE):
        found = _HEADER.search(rest + piece)
        if found is not None:
            return begin + found.start()
        seen = rest + piece
        rest = seen[-HEADER:]
        begin += len(seen) - len(rest)
    return None
