"""Processes of the benchmark: started here, ended by pid, killed by the kernel should the benchmark itself die."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from benchmarks.control.workload import NAMESPACE, RUNTIME_IMAGE, SYSTEM
from tests.cluster.paths import CHECKOUT

_DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
LOGS = CHECKOUT / "build" / "bench-control"
_READS = frozenset({"GET", "LIST", "WATCH"})


class Process:
    """A child process whose output goes to a file of its name below LOGS."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._argv = [*_DIE_WITH_US, *argv]
        self._env = {**os.environ, **(env or {})}
        self.log = LOGS / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, env=self._env, stdout=log, stderr=log)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    async def stop(self, number: signal.Signals = signal.SIGTERM, patience: float = 10.0) -> None:
        """End it; SIGKILL after `patience` seconds."""
        self.send(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self.alive:
                    await asyncio.sleep(0.02)
        self.send(signal.SIGKILL)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)


@dataclass(frozen=True)
class Snapshot:
    """What an operator did so far: see `counted.snapshot`."""

    requests: Mapping[tuple[str, str], int]
    first_write: float | None
    cpu: float
    memory: Mapping[str, int]
    reconciles: Mapping[str, float]
    waiting: float

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> "Snapshot":
        """Only requests in the benchmark's namespace count; other people's objects may be on the cluster."""
        requests = {
            (verb, resource): count for verb, namespace, resource, count in said["requests"] if namespace == NAMESPACE
        }
        first = said["first_write"].get(NAMESPACE)
        return cls(requests, first, said["cpu"], said["memory"], said["reconciles"], said["waiting"])

    @property
    def writes(self) -> dict[str, int]:
        """Requests that change something in the benchmark's namespace, by verb and resource."""
        return {" ".join(what): count for what, count in self.requests.items() if what[0] not in _READS}

    @property
    def written(self) -> int:
        """How many writes."""
        return sum(self.writes.values())

    def since(self, before: "Snapshot") -> dict[str, int]:
        """Requests after `before`, by verb and resource."""
        new = {what: count - before.requests.get(what, 0) for what, count in self.requests.items()}
        return {" ".join(what): count for what, count in sorted(new.items()) if count}


class OperatorProcess(Process):
    """Turnout or the yardstick, from source, counted."""

    def __init__(self, name: str, module: str, folder: Path, kubeconfig: Path, http_port: int, *flags: str) -> None:
        self._socket = folder / f"{name}.sock"
        self._http_port = http_port
        argv = [sys.executable, "-m", "benchmarks.control.counted", str(self._socket), module]
        env = {"KUBECONFIG": str(kubeconfig), "POD_NAMESPACE": SYSTEM, "POD_NAME": name, "POD_ID": name}
        super().__init__(name, [*argv, "--runtime-image", RUNTIME_IMAGE, *flags], env)

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        super().start()

    async def snapshot(self) -> Snapshot:
        """Ask the process; waits while it is still starting. Raises RuntimeError when it has ended."""
        while True:
            if not self.alive:
                raise RuntimeError(f"{self.name} has ended, see {self.log}")
            with contextlib.suppress(OSError, ValueError):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                said = await reader.read()
                writer.close()
                return Snapshot.parse(json.loads(said))
            await asyncio.sleep(0.02)

    async def is_ready(self) -> bool:
        """Whether Turnout's caches are synced (`/readyz`)."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self._http_port}/readyz") as r,
            ):
                return r.status == 200
        return False


def turnout(name: str, folder: Path, kubeconfig: Path, *, http_port: int, xds_port: int) -> OperatorProcess:
    """Turnout's operator from this checkout."""
    ports = ("--http-port", str(http_port), "--xds-port", str(xds_port))
    return OperatorProcess(name, "turnout_operator", folder, kubeconfig, http_port, *ports)


def yardstick(name: str, folder: Path, kubeconfig: Path) -> OperatorProcess:
    """The operator on bare informers."""
    return OperatorProcess(name, "benchmarks.control.yardstick", folder, kubeconfig, 0)
