"""Segments as DuckDB can read them: all whole blocks, and nothing else.

DuckDB reads lines on all cores and knows no checksums. So a segment is checked first; a sound one is read where it is
(headers of blocks are no JSON, and are left out), the sound blocks of another one are copied.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.read import blocks_of
from turnout_runtime.log.segments import OPEN, SEALED

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
    end = headers = damaged = 0
    for block in blocks_of(path):
        damaged += block.offset - end
        end, headers = block.end, headers + (block.end - block.offset > len(block.payload))
    opened = path.name.endswith(OPEN)
    here = path if path.exists() else path.with_name(path.name.removesuffix(OPEN) + SEALED)
    if not here.exists():
        raise LogInvalid(f"{path} is gone: if a pod has rotated it away meanwhile, try again")
    torn = here.stat().st_size - end
    if not end:
        return Readable(here) if torn and not opened else None  # what DuckDB makes of it is counted as unreadable
    if not headers or (not opened and not damaged and not torn):
        return Readable(here, headers)
    with copy.open("wb") as out:
        out.writelines(block.payload for block in blocks_of(here) if block.end <= end)  # it may have grown
    return Readable(copy, 0, damaged + (0 if opened else torn))
