"""Starts processes by forking one that has imported the runtime already.

A start then costs milliseconds, so that a test can have a process of its own. All else is as in a pod: own pid,
signals, ports and exit status. The forking process has no threads and no event loop, as fork wants it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Forked:
    """A forked runtime, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, pid: int, status: Path) -> None:
        self.pid, self._status = pid, status
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and self._status.exists():
            self.returncode = int(self._status.read_text())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or 60)
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} still runs")
            time.sleep(0.002)
        return status

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forkery:
    """The process that forks; it ends, with all it forked, when this object is closed or its owner dies."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.runtime.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def start(self, arguments: list[str], stderr: Path, environment: dict[str, str]) -> Forked:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        status = stderr.with_name("status")
        status.unlink(missing_ok=True)
        job = {"arguments": arguments, "stderr": str(stderr), "environment": environment, "status": str(status)}
        self._server.stdin.write(json.dumps(job).encode() + b"\n")
        self._server.stdin.flush()
        return Forked(int(self._server.stdout.readline()), status)

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(10)
        assert self._server.stdout is not None
        self._server.stdout.close()


def _runtime(job: dict[str, Any]) -> None:
    """Become the runtime; never returns."""
    from turnout_runtime.__main__ import main

    stderr = os.open(job["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(stderr, 2)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    os.environ.update(job["environment"])
    os._exit(main(job["arguments"]))


def _fork(job: dict[str, Any]) -> None:
    """A monitor, which forks the runtime, tells its pid, and writes down its exit status as a shell would give it."""
    if os.fork():
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        _runtime(job)
    print(pid, flush=True)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    Path(job["status"] + ".new").write_text(str(status))
    os.rename(job["status"] + ".new", job["status"])
    os._exit(0)


if __name__ == "__main__":
    import turnout_runtime.__main__  # noqa: F401  # what the children shall not have to import

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        _fork(json.loads(line))
    os.killpg(0, signal.SIGKILL)
