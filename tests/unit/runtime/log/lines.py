"""Rows of a test's log, by number."""

import json
from collections.abc import Iterable
from pathlib import Path

from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.read import rows
from turnout_runtime.log.segments import frame
from turnout_runtime.log.writer import LogWriter


def line(number: int, size: int = 100) -> bytes:
    head = b'{"n":%d,"pad":"' % number
    return head + b"x" * (size - len(head) - 3) + b'"}\n'


def block(*numbers: int, size: int = 100) -> bytes:
    return frame([line(number, size) for number in numbers])


def numbers(directory: Path) -> list[int]:
    return [json.loads(row)["n"] for row in b"".join(rows(directory)).splitlines()]


def occupied(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def write(files: LogFiles, numbered: Iterable[int], size: int = 100) -> LogWriter:
    """All of them, and the end."""
    writer = LogWriter(files)
    for number in numbered:
        writer.put([line(number, size)])
    writer.start()
    assert writer.close(5)
    return writer
