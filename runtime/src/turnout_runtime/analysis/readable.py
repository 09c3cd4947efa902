"""Segments as DuckDB can read them: all whole blocks, and nothing else.

DuckDB reads lines on all cores and knows no checksums. So a segment is checked first; a sound one is read where it is
(headers of blocks are no JSON, and are left out), the sound blocks of another one are copied.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from turnout_runtime.analysis.lines import framed, opened
from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.segments import blocks

_THREADS = 2


@dataclass(frozen=True, slots=True)
class Readable:
    """A file of lines to read, and how many of them are headers of blocks; `damaged` bytes of the segment are lost."""

    path: Path
    headers: int = 0
    damaged: int = 0


def readable(segments: Sequence[Path], scratch: Path) -> list[Readable]:
    """Those of the segments that are not empty, in order; copies go to `scratch`. Blocks.

    Raises `LogInvalid` for one that is gone.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        found = threads.map(lambda item: _checked(item[1], scratch / f"{item[0]}.jsonl"), enumerate(segments))
        return [each for each in found if each is not None]


def _checked(path: Path, copy: Path) -> Readable | None:
    with opened(path) as file:
        if file is None:
            raise LogInvalid(f"{path} is gone: if a pod has rotated it away meanwhile, try again")
        if not framed(file):
            return Readable(Path(file.name))
        end = headers = damaged = 0
        for block in blocks(file):
            damaged += block.offset - end
            end, headers = block.end, headers + 1
        if not headers and not damaged:
            return None
        sealed = path.suffix != ".open"
        torn = file.seek(0, 2) - end
        if sealed and not damaged and not torn:
            return Readable(Path(file.name), headers)
        with copy.open("wb") as out:
            for block in blocks(file):
                if block.end <= end:  # it may have grown
                    out.write(block.payload)
        return Readable(copy, 0, damaged + (torn if sealed else 0))
