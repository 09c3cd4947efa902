"""Long-running processes that outlive the shell that started them, and that are ended by pid alone.

A pid is trusted only together with the start time that the kernel gives it, so that a recycled pid is never signalled.
Every process also carries MARKER in its environment, which containerd's shims inherit: what a crash left without a
record is found by it.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

MARKER = "TURNOUT_TEST_CLUSTER"


@dataclass(frozen=True)
class Component:
    """A process to keep running."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A process as it was started. `started` is in clock ticks since boot."""

    pid: int
    started: int
    argv: tuple[str, ...]

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    @property
    def resident_bytes(self) -> int:
        """Memory that the living process holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def parse_stat(text: str) -> int | None:
    """Return the start time in a /proc/<pid>/stat line; None for a process that is dead but not yet reaped."""
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def start_time(pid: int) -> int | None:
    """Return when `pid` started, in clock ticks since boot, or None when no such process lives."""
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


class Supervisor:
    """Starts and ends components; records them in `folder`, their output in `logs`."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder = folder
        self.logs = logs

    def recorded(self, name: str) -> Running | None:
        """Return the recorded process of `name`, alive or not."""
        try:
            record = json.loads(self._file(name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return Running(record["pid"], record["started"], tuple(record["argv"]))

    def ensure(self, component: Component) -> bool:
        """Start `component` unless it runs as it should; return whether it was started."""
        running = self.recorded(component.name)
        if running and running.alive:
            if running.argv == component.argv:
                return False
            end([running.pid], {running.pid: running.started})
        self._start(component)
        return True

    def _start(self, component: Component) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **component.env, MARKER: str(self.folder)}
        with (self.logs / f"{component.name}.log").open("ab") as log:
            process = subprocess.Popen(
                component.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        process.returncode = 0  # it is meant to outlive us: no warning that it was not waited for
        started = start_time(process.pid)
        record = Running(process.pid, started or 0, component.argv)
        fresh = self._file(component.name).with_suffix(".new")
        fresh.write_text(json.dumps(asdict(record)))
        fresh.rename(self._file(component.name))

    def marked(self) -> list[int]:
        """Return every living process that was started from here, containerd's shims included."""
        needle = f"{MARKER}={self.folder}".encode()
        return [pid for pid in all_pids() if needle in _environment(pid)]

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def all_pids() -> list[int]:
    """Return the pids of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def end(pids: Iterable[int], started: dict[int, int | None] | None = None, patience: float = 8.0) -> None:
    """Ask `pids` to end, kill those that live after `patience` seconds, and return when none lives."""
    known = started or {pid: start_time(pid) for pid in pids}
    _signal(known, signal.SIGTERM)
    if not wait_for(lambda: not _living(known), patience):
        kill(known)


def kill(known: dict[int, int | None]) -> None:
    """Kill processes, given with their start times, and wait until the kernel let them go."""
    _signal(known, signal.SIGKILL)
    wait_for(lambda: not _living(known), 10.0)


def wait_for(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Wait until `condition` holds; return whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def _living(known: dict[int, int | None]) -> list[int]:
    return [pid for pid, started in known.items() if started is not None and start_time(pid) == started]


def _signal(known: dict[int, int | None], number: signal.Signals) -> None:
    for pid in _living(known):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
