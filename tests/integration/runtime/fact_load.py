"""Requests that want one fact, before, during and after a fault; and a proxy that spoils what a server answers."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from turnout_runtime.config import FactConfig
from turnout_runtime.facts import Fact, Facts, Scope
from turnout_runtime.facts.connect import FactStores, connect

TIMEOUT = 0.1  # seconds, of the fact
REQUEST_TIMEOUT = 0.2
FALLBACK = {"stand_in": True}
RECOVERY = 5.0
_CLIENTS, _PAUSE = 8, 0.01
_TICK = 0.005


@asynccontextmanager
async def facts(**fact: Any) -> AsyncIterator[FactStores]:
    """The stores of one declared fact `f`."""
    declared = {"timeoutSeconds": TIMEOUT, "fallback": FALLBACK, **fact}
    stores = connect({"f": FactConfig.model_validate(declared)}, REQUEST_TIMEOUT)
    await stores.warm()
    try:
        yield stores
    finally:
        await stores.close()


async def ask(stores: FactStores, key: str = "k0") -> tuple[float, Fact]:
    """One request's fact, and the seconds it cost."""
    started = time.perf_counter()
    deadline = started + REQUEST_TIMEOUT
    request = Facts(stores.rules, Scope(time.time_ns(), lambda: deadline - time.perf_counter()))
    await request.fetch(f=key)
    return time.perf_counter() - started, request.settled["f"]


async def load(stores: FactStores, seconds: float) -> list[tuple[float, Fact]]:
    """What many clients see meanwhile; latencies without the time that others had the processor."""
    ends = time.monotonic() + seconds
    seen: list[tuple[float, float, Fact]] = []

    async def client() -> None:
        while time.monotonic() < ends:
            latency, fact = await ask(stores, f"k{random.randrange(50)}")
            seen.append((time.perf_counter(), latency, fact))
            await asyncio.sleep(_PAUSE)

    async with _stolen() as stolen:
        await asyncio.gather(*(client() for _ in range(_CLIENTS)))
        await asyncio.sleep(2 * _TICK)
    return [(latency - _overlap(stolen, end - latency, end), fact) for end, latency, fact in seen]


_Stolen = list[tuple[float, float]]


@asynccontextmanager
async def _stolen() -> AsyncIterator[_Stolen]:
    """When (perf_counter) a sleep took longer than it should, though this thread did nothing: the end, and how much."""
    found: _Stolen = []

    async def watch() -> None:
        while True:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_TICK)
            late = time.perf_counter() - began - _TICK - (time.thread_time() - worked)
            if late > _TICK:
                found.append((time.perf_counter(), late))

    watcher = asyncio.create_task(watch())
    try:
        yield found
    finally:
        watcher.cancel()


def _overlap(stolen: _Stolen, start: float, end: float) -> float:
    return sum(min(late, max(0.0, min(end, at) - max(start, at - late - _TICK))) for at, late in stolen)


async def until(stores: FactStores, source: str, seconds: float = RECOVERY, key: str = "k0") -> float:
    """The seconds until the fact comes from there."""
    started = time.monotonic()
    while (await ask(stores, key))[1].source != source:
        assert time.monotonic() - started < seconds, f"not {source} within {seconds} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def survives(
    stores: FactStores, hurt: Callable[[], Any], heal: Callable[[], Any], seconds: float, reasons: set[str]
) -> None:
    """Through a fault and back: every request in time, every stand-in marked, live again soon after."""
    await until(stores, "live")
    await asyncio.to_thread(hurt)
    try:
        seen = await load(stores, seconds)
    finally:
        await asyncio.to_thread(heal)
    latencies = sorted(latency for latency, _ in seen)
    assert latencies[int(len(latencies) * 0.99)] <= REQUEST_TIMEOUT
    assert {(fact.source, fact.reason) for _, fact in seen} <= {("fallback", reason) for reason in reasons}
    assert all(fact.value == FALLBACK for _, fact in seen)
    await until(stores, "live")


Spoil = Callable[[bytes], Awaitable[bytes | None]]


class Proxy:
    """Between a client and a server: passes what the client says, and what is left of what the server says."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._spoil: Spoil | None = None

    def let(self, spoil: Spoil | None) -> None:
        """Each chunk from the server goes through this from now on; None closes the connection."""
        self._spoil = spoil

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, far_writer, False), self._pass(far_reader, writer, True))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool) -> None:
        try:
            while chunk := await reader.read(65536):
                if answers and self._spoil is not None:
                    spoilt = await self._spoil(chunk)
                    if spoilt is None:
                        break
                    chunk = spoilt
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Its port."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
