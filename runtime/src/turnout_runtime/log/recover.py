"""Seals the segments of writers that have died: cuts off what was torn, and keeps every whole block."""

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from turnout_runtime.log.segments import blocks, segment_of

_log = logging.getLogger("turnout.log")


class Recovered(NamedTuple):
    """A segment that was sealed: what is in it, and bytes that were cut off its end or are damaged inside it.

    `path` is None where nothing was left, and the file is gone.
    """

    path: Path | None
    rows: int
    torn: int
    damaged: int


def recover(directory: Path) -> list[Recovered]:
    """Seal each open segment whose writer is gone; those of living writers are left alone.

    Safe while others do the same. A segment that refuses is told and left for the next time; raises `OSError` when the
    directory itself cannot be read.
    """
    found = [(segment, path) for path in directory.iterdir() if (segment := segment_of(path.name)) and segment.open]
    recovered = []
    for segment, path in sorted(found):
        try:
            sealed = _recover(path, path.with_name(segment._replace(open=False).name))
        except OSError as error:
            _log.error("cannot recover a segment of the log", extra={"segment": path.name, "error": str(error)})
            continue
        if sealed is not None:
            recovered.append(sealed)
    return recovered


def _recover(path: Path, sealed: Path) -> Recovered | None:
    """None when somebody writes it, or somebody else has just sealed it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _seal(file, path, sealed) if _ours(file, path) else None
    finally:
        os.close(file)


def _ours(file: int, path: Path) -> bool:
    """Whether its lock can be had, and it is still the file of that name."""
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _seal(file: int, path: Path, sealed: Path) -> Recovered:
    end = rows = damaged = 0
    with open(file, "rb", closefd=False) as content:
        for block in blocks(content):
            damaged += block.offset - end
            end, rows = block.end, rows + block.rows
    torn = os.fstat(file).st_size - end
    if not rows:
        path.unlink()
        return Recovered(None, 0, torn, 0)
    if torn:
        os.ftruncate(file, end)
        os.fdatasync(file)
    path.rename(sealed)
    return Recovered(sealed, rows, torn, damaged)
