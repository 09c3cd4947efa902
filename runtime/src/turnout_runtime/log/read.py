"""Reads a log directory while it is being written."""

from collections.abc import Iterator
from pathlib import Path

from turnout_runtime.log.files import log_files

_BLOCK = 1024**2


def rows(directory: Path) -> Iterator[bytes]:
    """Blocks of whole records, oldest first. Skips a record that is half written and a file that is just rotated away.

    Raises `OSError` when the directory cannot be read.
    """
    for path in log_files(directory):
        try:
            yield from _whole_lines(path)
        except FileNotFoundError:
            continue


def _whole_lines(path: Path) -> Iterator[bytes]:
    rest = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            yield whole + newline
