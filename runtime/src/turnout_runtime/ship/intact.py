"""Looks through a segment before it is converted: what of it counts, and in which pieces it can be read."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from turnout_runtime.log.read import blocks_of

LONGEST = 4 * 1024**2
"""Bytes of a record that can be made a row of Parquet in bounded memory; a longer one stays in the segment."""
_LONG = 64 * 1024
_PIECE = 8 * 1024**2


class Scan(NamedTuple):
    """What a segment has: rows, bytes that belong to no whole block, lines beyond `LONGEST`, the longest other one."""

    rows: int
    damaged: int
    too_long: int
    longest: int

    @property
    def small(self) -> bool:
        """Whether so many rows as DuckDB takes at once fit in memory."""
        return self.longest <= _LONG

    @property
    def whole(self) -> bool:
        """Whether the file can be read as it is."""
        return self.small and not self.damaged and not self.too_long


def scan(path: Path) -> Scan:
    """Check every block of a segment; raises `OSError`, `FileNotFoundError` among them."""
    size, end = path.stat().st_size, 0
    rows = damaged = too_long = longest = 0
    for block in blocks_of(path):
        damaged, end, rows = damaged + block.offset - end, block.end, rows + block.rows
        lengths = [len(line) for line in block.payload.split(b"\n")]
        if max(lengths) > LONGEST:
            too_long += sum(length > LONGEST for length in lengths)
            lengths = [length for length in lengths if length <= LONGEST]
        longest = max(longest, *lengths)
    return Scan(rows, damaged + size - end, too_long, longest)


def pieces(path: Path, found: Scan, target: Path) -> Iterator[Path]:
    """Files with all lines that count: the segment itself, or `target` with one part after the other."""
    if found.whole:
        yield path
        return
    lines, size = list[bytes](), 0
    for block in blocks_of(path):
        for line in block.payload.splitlines(keepends=True):
            if size + len(line) > _PIECE and lines:
                target.write_bytes(b"".join(lines))
                yield target
                lines, size = [], 0
            if len(line) <= LONGEST:
                lines.append(line)
                size += len(line)
    if lines:
        target.write_bytes(b"".join(lines))
        yield target
