"""Processes of the benchmark: on their own core, ended with all their children, killed should the benchmark die."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.harness import proc
from benchmarks.harness.places import logs

_PATIENCE = 5.0  # seconds until a process that was told to end is killed
_RUNNING = "processes"


class Process:
    """A program from its start to its end, as a context; its output goes to a file of its name below `logs()`.

    The kernel kills it when the thread that started it ends.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[object],
        core: int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name, self.log = name, logs() / f"{name.replace('/', '-')}.log"
        words = ["setpriv", "--pdeathsig", "KILL", "--", "taskset", "-c", str(core), *map(str, argv)]
        self._words, self._env, self._cwd = words, {**os.environ, **(env or {})}, cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(self._words, env=self._env, cwd=self._cwd, stdout=stream, stderr=stream)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def family(self) -> list[proc.Stat]:
        """The process and its descendants, now."""
        return proc.family(self.pid, proc.table())

    def remember(self) -> None:
        """Note who runs now, for `end_leftovers`: children of a server outlive it when all of us are killed."""
        with (logs() / _RUNNING).open("a") as file:
            file.writelines(f"{member.pid} {member.started}\n" for member in self.family)

    def check(self) -> None:
        """Raise RuntimeError with the end of its output when it has ended."""
        if self._process is None or self._process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
            raise RuntimeError(f"{self.name} has ended:\n{tail}")

    def wait_until(self, condition: Callable[[], bool], seconds: float, every: float = 0.02) -> None:
        """Raises TimeoutError when it does not come true in time, and RuntimeError when the process ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} was not there after {seconds:g} s, see {self.log}")
            time.sleep(every)

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self, patience: float | None = None) -> None:
        """End it, after at most so many seconds by force, and what it left behind."""
        if self._process is None:
            return
        members = {member.pid: member.started for member in self.family}
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE if patience is None else patience)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()
        _kill(members)
        self._process = None

    def kill(self) -> None:
        """End it as a crash does."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end_leftovers() -> None:
    """End what is left of an earlier run that was killed."""
    noted = logs() / _RUNNING
    if noted.exists():
        _kill({int(pid): int(started) for pid, started in map(str.split, noted.read_text().splitlines())})


def _kill(started: Mapping[int, int]) -> None:
    """Those that still run; a pid that another process has got since is left alone."""
    now = proc.table()
    for pid, since in started.items():
        if pid in now and now[pid].started == since:
            os.kill(pid, signal.SIGKILL)
