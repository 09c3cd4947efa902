"""Starts the processes of a pod, replaces those that die, and ends them together."""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from turnout_runtime.config import RuntimeConfig
from turnout_runtime.errors import WorkerFailed
from turnout_runtime.serve.ports import Ports, bind
from turnout_runtime.serve.readiness import Phase
from turnout_runtime.serve.service import on_signals
from turnout_runtime.serve.workers.link import Link
from turnout_runtime.serve.workers.merge import merge
from turnout_runtime.serve.workers.shares import check, share

_log = logging.getLogger("turnout.serve")
_DEATHS, _WINDOW = 5, 60.0  # so many deaths in so many seconds are no accident any more
_HOUR = 3600.0  # seconds that the metrics of drift look back
_PATIENCE = 2.0  # seconds for a process to tell its metrics
_COMMAND = (sys.executable, "-m", "turnout_runtime.serve.workers.worker")


class Supervisor:
    """Keeps `serving.processes` processes going; they share the ports, and the kernel spreads connections."""

    def __init__(self, config: RuntimeConfig, cache: Path, ports: Ports, tell: Callable[[Phase], object]) -> None:
        """`tell` hears of each phase of the pod as it begins."""
        self._config, self._cache, self._ports, self._tell = config, cache, ports, tell
        self._workers: dict[int, _Worker] = {}
        self._deaths: deque[float] = deque(maxlen=_DEATHS)
        self._stopping = False
        self._phase = Phase.STARTING

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises `WorkerFailed` when a process cannot serve."""
        check(self._config.serving)
        on_signals(self.stop)
        ports, reserved = _reserve(self._ports)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._config.serving.processes):
                    group.create_task(self._keep(number, ports))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            for bound in reserved:
                bound.close()

    def stop(self) -> None:
        """Let every process drain and end."""
        if not self._stopping:
            self._stopping = True
            self._tell(Phase.DRAINING)
        for worker in self._workers.values():
            worker.terminate()

    async def metrics(self, own: bytes) -> bytes:
        """The exposition of all processes together; `own` is the supervisor's."""
        told = await self._ask("metrics", _HOUR)
        text = merge([own, *(one["metrics"].encode() for one in told)])
        sketches = self._together(told)
        if sketches is None:
            return text
        from turnout_runtime.serve.drift.told import metrics_of

        return text + metrics_of(sketches)

    async def sketches(self, seconds: float) -> dict[str, Any] | None:
        """What all processes have seen in the last so many seconds; None before they serve."""
        return self._together(await self._ask("sketches", seconds))

    async def _ask(self, what: str, seconds: float) -> list[dict[str, Any]]:
        """What the processes answer that do."""
        message = {"ask": what, "seconds": seconds}
        told = await asyncio.gather(*(worker.ask(message) for worker in list(self._workers.values())))
        return [one for one in told if one is not None]

    @staticmethod
    def _together(told: list[dict[str, Any]]) -> dict[str, Any] | None:
        found = [one["sketches"] for one in told if one["sketches"] is not None]
        if not found:
            return None
        from turnout_runtime.serve.drift.told import together  # imports numpy, while nobody waits for an answer

        return together(found)

    async def _keep(self, number: int, ports: Ports) -> None:
        """Run one process, again and again until the end."""
        while not self._stopping:
            worker = self._workers[number] = await _Worker.start(self._config, number, self._cache, ports)
            try:
                status = await worker.watch(self._look)
            finally:
                del self._workers[number]
                await worker.end()
            if self._stopping:
                return
            self._died(number, status)
        return

    def _look(self) -> None:
        """A process has entered a phase: the pod is ready from when all are."""
        ready = [worker.phase is Phase.READY for worker in self._workers.values()]
        if self._phase is Phase.STARTING and all(ready) and len(ready) == self._config.serving.processes:
            self._phase = Phase.READY
            self._tell(Phase.READY)

    def _died(self, number: int, status: int) -> None:
        now = time.monotonic()
        self._deaths.append(now)
        if len(self._deaths) == _DEATHS and now - self._deaths[0] < _WINDOW:
            raise WorkerFailed("WorkerDied", f"{_DEATHS} processes died within {_WINDOW:g} s, the last with {status}")
        _log.error("a process died and is replaced", extra={"worker": number, "status": status})


class _Worker:
    """One process, as the supervisor sees it."""

    def __init__(self, process: asyncio.subprocess.Process, link: Link) -> None:
        self._process, self._link = process, link
        self._asked: deque[asyncio.Future[dict[str, Any] | None]] = deque()
        self.phase = Phase.STARTING

    @classmethod
    async def start(cls, config: RuntimeConfig, number: int, cache: Path, ports: Ports) -> "_Worker":
        """A new process, told what to serve."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *_COMMAND, str(theirs.fileno()), pass_fds=[theirs.fileno()], start_new_session=True
            )
        link = await Link.open(ours)
        part = share(config, number).model_dump(mode="json", by_alias=True)
        link.send({"config": part, "ports": asdict(ports), "cache": str(cache)})
        return cls(process, link)

    async def watch(self, look: Callable[[], object]) -> int:
        """Listen until it ends, and give its exit status; raises `WorkerFailed` with the reason that it gives."""
        while (message := await self._link.receive()) is not None:
            if "failed" in message:
                raise WorkerFailed(message["failed"], message["message"])
            if "sketches" in message and self._asked:
                _settle(self._asked.popleft(), message)
            elif "phase" in message:
                self.phase = Phase(message["phase"])
                look()
        return await self._process.wait()

    async def ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Its answer, metrics (an exposition) and sketches (a document); None when it does not tell in time."""
        if self.phase is Phase.STARTING:
            return None
        asked: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        self._link.send(message)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                return await asked
        return None

    def terminate(self) -> None:
        """Let it drain."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    async def end(self) -> None:
        """It has ended, or has to."""
        for asked in self._asked:
            _settle(asked, None)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._link.close()


def _settle(future: "asyncio.Future[Any]", value: dict[str, Any] | None) -> None:
    if not future.done():
        future.set_result(value)


def _reserve(ports: Ports) -> tuple[Ports, list[socket.socket]]:
    """The ports with numbers where any free one was asked for, and the sockets that keep them free meanwhile."""
    http = bind(ports.host, ports.http, shared=True)
    reserved, grpc = [http], ports.grpc
    if grpc is not None:
        reserved.append(bind(ports.host, grpc, shared=True))
        grpc = reserved[1].getsockname()[1]
    return replace(ports, http=http.getsockname()[1], grpc=grpc, shared=True), reserved
