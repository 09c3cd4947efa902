"""Segments without some of their rows, to the byte as long as before. Pure.

Every block keeps its place: a shipper may have delivered a segment up to a byte, and goes on from there. A block that
loses rows is filled up with spaces behind its last one, a block that loses all with blocks of nothing.
"""

from collections.abc import Callable
from zlib import crc32

from turnout_runtime.log.segments import Block

_EMPTY = b"#%0*d %0*d 00000000\n"
_SHORTEST, _LONGEST = 14, 33  # bytes of a block of nothing, by how many zeros it has
_WIDEST = 9  # digits of the number of rows
_FRAME = len("#  01234567\n")


def without(block: Block, gone: Callable[[bytes], bool]) -> tuple[bytes, int]:
    """The block's bytes without the lines that are gone, and how many those are."""
    lines = block.payload.splitlines(keepends=True)
    kept = [line for line in lines if not gone(line)]
    size = block.end - block.offset
    return (_filled(kept, block, size) if kept else nothing(size)), len(lines) - len(kept)


def _filled(kept: list[bytes], block: Block, size: int) -> bytes:
    """As long a header as the block had, whose numbers may begin with zeros, and as long a payload."""
    lines = b"".join(kept)
    payload = lines[:-1] + b" " * (len(block.payload) - len(lines)) + b"\n"
    head = size - len(payload)
    if not head:
        return payload  # of plain lines, which have no header
    digits = min(_WIDEST, head - _FRAME - len(str(len(payload))))
    numbers = str(len(kept)).zfill(digits), str(len(payload)).zfill(head - _FRAME - digits)
    return f"#{' '.join(numbers)} {crc32(payload):08x}\n".encode() + payload


def blank(size: int) -> bytes:
    """So many bytes without a row."""
    return nothing(size) if size >= _SHORTEST else b"\n" * size


def nothing(size: int) -> bytes:
    """So many bytes (14 or more) of blocks that hold no row."""
    parts = []
    while size:
        part = size if size <= _LONGEST else min(_LONGEST, size - _SHORTEST)
        zeros = part - _SHORTEST
        parts.append(_EMPTY % (1 + min(8, zeros), 0, 1 + max(0, zeros - 8), 0))
        size -= part
    return b"".join(parts)
