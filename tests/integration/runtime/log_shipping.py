"""`turnout log ship` as a process of a test's own, and a log that is written meanwhile."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.unit.runtime.ship.segments import feedback, row

from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.read import blocks_of
from turnout_runtime.log.segments import KINDS

ROWS = 60  # of a segment


@contextmanager
def shipping(log: Path, *options: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """It runs until the block's end; what it says is in `shipper.log` beside the log."""
    command = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship", str(log), "--pod", "pod-1", *options]
    with (log.parent / "shipper.log").open("ab") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=_environment(environment))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")}, **more}


class Written:
    """Segments of predictions and feedback, one after the other, over two hours; the last of each stays open."""

    def __init__(self, log: Path) -> None:
        log.mkdir(exist_ok=True)
        self._files = {kind: LogFiles(log, 10**9, 1000, kind=kind) for kind in KINDS}
        self.rows = 0

    def more(self, segments: int = 1) -> None:
        """Seal what is open, so many times, with new rows in it."""
        for _ in range(segments):
            for _ in range(ROWS // 10):
                numbers = range(self.rows, self.rows + 10)
                self._files["predictions"].append([row(n, time=f"2026-11-22T1{n % 2}:00:00Z") for n in numbers])
                self._files["feedback"].append([feedback(n) for n in numbers])
                self.rows += 10
            self.seal()

    def seal(self) -> None:
        for files in self._files.values():
            files.seal()

    def expected(self, letter: str) -> list[str]:
        return [f"{letter}{number}" for number in range(self.rows)]


def left(log: Path) -> int:
    """Rows that are still in the log."""
    return sum(block.rows for path in log.glob("*.jsonl*") for block in blocks_of(path))


def metric(port: int, name: str) -> dict[str, float]:
    """Its values by labels, as they are written."""
    url = f"http://127.0.0.1:{port}/metrics?name[]={name}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {line.split()[0].removeprefix(name): float(line.split()[1]) for line in lines if not line.startswith("#")}
