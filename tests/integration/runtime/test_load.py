"""A process under more load than it can take, and one that is told to stop meanwhile."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from tests.integration.runtime.process import PREDICT, Runtime, config_for, running, serving
from tests.unit.runtime.builders import BUNDLES


async def _post(session: aiohttp.ClientSession, runtime: Runtime, **context: Any) -> tuple[int, float, str]:
    """Status, seconds it took, and what tells the caller how to go on."""
    started = time.perf_counter()
    async with session.post(f"http://127.0.0.1:{runtime.port('http')}{PREDICT}", json={"context": context}) as response:
        await response.read()
        hint = response.headers.get("Retry-After") or response.headers.get("Connection", "")
        return response.status, time.perf_counter() - started, hint


async def _many(count: int, request: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> list[Any]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        return await asyncio.gather(*(request(session) for _ in range(count)))


async def test_overload_is_shed_at_once_and_what_is_accepted_is_answered(tmp_path: Path) -> None:
    limits = serving(concurrency=2, maxQueueDepth=4, maxQueueWaitSeconds=0.6)
    with running(tmp_path, config_for(tmp_path, BUNDLES / "echo", serving=limits)) as runtime:
        answers = await _many(40, lambda session: _post(session, runtime, sleep=0.4))
        statuses = Counter(status for status, _, _ in answers)
        # Two run at once and four wait; of those, two get their turn after 0.4 s and two give up after 0.6 s.
        assert statuses == {200: 4, 429: 36}
        assert {retry for status, _, retry in answers if status == 429} == {"1"}
        assert runtime.metric('turnout_shed_total{reason="queue_full"}') == 34
        assert runtime.metric('turnout_shed_total{reason="queue_wait"}') == 2
        assert runtime.metric("turnout_queue_depth") == runtime.metric("turnout_in_flight") == 0
        assert runtime.predict().status == 200
        assert runtime.terminate() == 0
        records = runtime.records()
        assert Counter(record["status"] for record in records) == {"ok": 5, "shed": 36}
        # The server's own time for the shed ones, undisturbed by this test's client.
        shed = sorted(r["stages_ms"]["total"] for r in records if r["error_type"] == "queue_full")
        assert shed[len(shed) // 2] < 5


async def test_slow_requests_time_out_and_free_their_place(tmp_path: Path) -> None:
    limits = serving(concurrency=4, maxQueueDepth=0, timeoutSeconds=0.2)
    with running(tmp_path, config_for(tmp_path, BUNDLES / "echo", serving=limits)) as runtime:
        for _ in range(2):
            answers = await _many(4, lambda session: _post(session, runtime, sleep=30))
            assert {status for status, _, _ in answers} == {504}
            assert max(seconds for _, seconds, _ in answers) < 2
        assert runtime.metric("turnout_in_flight") == 0


async def test_no_request_fails_while_a_pod_drains(tmp_path: Path) -> None:
    """Callers behave as a gateway does: they send until they learn that the pod is not ready, a moment late."""
    limits = serving(drainSeconds=0.8, maxQueueWaitSeconds=1.0)
    with running(tmp_path, config_for(tmp_path, BUNDLES / "echo", serving=limits)) as runtime:
        admin, stopped, statuses = runtime.port("admin"), asyncio.Event(), Counter[int]()

        async def caller(session: aiohttp.ClientSession) -> None:
            while not stopped.is_set():
                status, _, _ = await _post(session, runtime, sleep=0.002)
                statuses[status] += 1

        async def watch(session: aiohttp.ClientSession) -> None:
            await asyncio.sleep(0.3)
            runtime.process.terminate()
            while not stopped.is_set():
                async with session.get(f"http://127.0.0.1:{admin}/readyz") as response:
                    if response.status == 503:
                        assert (await session.get(f"http://127.0.0.1:{admin}/livez")).status == 200
                        await asyncio.sleep(0.3)
                        stopped.set()

        async def last(session: aiohttp.ClientSession) -> None:
            await stopped.wait()
            status, _, hint = await _post(session, runtime, sleep=0.9)  # still runs when the drain time is over
            assert hint == "close"
            statuses[status] += 1

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(watch(session), last(session), *(caller(session) for _ in range(12)))
        assert await asyncio.to_thread(runtime.process.wait, 10) == 0
        assert set(statuses) == {200}
        assert statuses[200] > 50
        assert len(runtime.records()) == statuses[200]
        phases = [event["phase"] for event in runtime.events() if event["message"] == "phase"]
        assert phases == ["ready", "draining", "closing"]
