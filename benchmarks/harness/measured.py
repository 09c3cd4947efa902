"""One command, and what it cost."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import proc
from benchmarks.harness.places import logs

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock and of CPU time (with its children's); the peak of their resident MiB."""

    seconds: float
    cpu: float
    peak: float


def measured(
    name: str,
    argv: Sequence[object],
    cores: Sequence[int],
    limit: float = 300.0,
    env: Mapping[str, str] | None = None,
) -> Cost:
    """Run it on the cores to its end; its output goes to a file of that name below `logs()`.

    Raises RuntimeError with the end of its output when it fails, and when it is still there after `limit` seconds.
    """
    log = logs() / f"{name}.log"
    bound = ["setpriv", "--pdeathsig", "KILL", "--", "taskset", "-c", ",".join(map(str, cores))]
    with log.open("ab") as stream:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*bound, *map(str, argv)], stdout=stream, stderr=stream, env={**os.environ, **(env or {})}
        )
        peak, end = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peak, end), daemon=True)
        killer = threading.Timer(limit, process.kill)
        watcher.start()
        killer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            killer.cancel()
            end.set()
            watcher.join()
            if process.returncode is None:
                process.kill()
                process.wait()
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise RuntimeError(f"{name} ended with {process.returncode}:\n{tail}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, peak[0] / 1024)


def _watch(pid: int, peak: list[int], end: threading.Event) -> None:
    """Add up the peaks of those that run at once; getrusage would tell the parent's own where that is higher."""
    while not end.wait(_EVERY):
        peak[0] = max(peak[0], sum(_peak(member.pid) for member in proc.family(pid, proc.table())))


def _peak(pid: int) -> int:
    """KiB, as the kernel keeps it; 0 for a process that has ended."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) if found else 0
