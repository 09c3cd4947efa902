"""`turnout log ship` as a process of its own, a log for it to ship, and what has arrived."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
from tests.peers.daemons import free_port

from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.writer import LogWriter

_PATIENCE = 60.0  # seconds, on a machine that does much else


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Return when it holds."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


class Log:
    """A pod's log, written as the runtime does; rows are numbered."""

    def __init__(self, directory: Path, segment_bytes: int = 400_000) -> None:
        directory.mkdir()
        self.directory, self.rows = directory, 0
        self._writer = LogWriter(LogFiles(directory, segment_bytes, 10_000), flush=0.05, loss=True)
        self._writer.start()

    def write(self, count: int) -> None:
        """So many rows, of about 500 bytes."""
        for number in range(self.rows, self.rows + count):
            self._writer.put([_row(number)])
        self.rows += count
        eventually(lambda: self._writer.written == self.rows, "the rows are written")

    def close(self) -> None:
        assert self._writer.close(20)
        assert not any(self._writer.dropped.values())

    def segments(self) -> list[Path]:
        return [path for path in self.directory.iterdir() if ".jsonl" in path.suffixes]


def _row(number: int) -> bytes:
    fields = {
        "schema_version": 3,
        "prediction_id": str(UUID(int=number)),
        "time": f"2026-11-22T{13 + number % 2}:00:00.000000Z",
        "namespace": "shop",
        "objective": "delay",
        "context": {"ballast": "x" * 350},
        "status": "ok",
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


class Shipper:
    """The process; `sinks` as in ship.json."""

    def __init__(self, folder: Path, log: Log, sinks: Sequence[dict[str, Any]], environment: dict[str, str]) -> None:
        self._port, self._errors = free_port(), folder / "shipper.log"
        config = {"directory": str(log.directory), "pod": "pod-1", "sinks": list(sinks), "port": self._port}
        (folder / "ship.json").write_text(json.dumps(config))
        self._argv = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship", "--host", "127.0.0.1"]
        self._argv += ["--config", str(folder / "ship.json")]
        self._environment, self._process = environment, self._started(environment)

    def _started(self, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        with self._errors.open("ab") as errors:
            return subprocess.Popen(self._argv, env=environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)

    def kill(self) -> None:
        """As a node does that runs out of memory."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self._process = self._started(self._environment)

    def finish(self) -> None:
        """As Kubernetes asks a pod to; it ships what is left first."""
        self._process.terminate()
        assert self._process.wait(_PATIENCE) == 0, self._errors.read_text()

    def peak_memory(self) -> int:
        """The most bytes that were resident."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def metric(self, name: str) -> float:
        """The sum of a family; 0 where nobody answers."""
        with suppress(OSError):
            text = urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5).read().decode()
            return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))
        return 0.0


def counted(root: Path) -> tuple[int, int]:
    """Rows in the Parquet files below a sink's root, and different ones among them."""
    if not any(root.rglob("*.parquet")):
        return 0, 0
    query = "SELECT count(*), count(DISTINCT prediction_id) FROM read_parquet(?, hive_partitioning = true)"
    found = duckdb.connect().execute(query, [str(root / "predictions/*/*/*/*.parquet")]).fetchone()
    assert found is not None
    return found[0], found[1]
