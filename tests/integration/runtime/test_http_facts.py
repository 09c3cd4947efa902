"""Facts from a real HTTP service: what it is asked, and every way in which it can fail."""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.runtime.fact_load import FALLBACK, TIMEOUT, ask, facts, load, survives, until
from tests.integration.runtime.fact_servers import FactService

from turnout_runtime.facts import Facts, Scope

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def service() -> Iterator[FactService]:
    server = FactService()
    server.start()
    yield server
    server.stop()


async def test_what_the_service_is_told(service: FactService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "Bearer s3cret")
    http = {"url": service.url, "headers": {"x-team": "ops"}, "headersFromEnv": {"authorization": "TOKEN"}}
    async with facts(http=http, timestampField="at") as stores:
        scope = Scope(3 * 10**9, lambda: 0.08, TRACE, tracestate="vendor=1")
        request = Facts(stores.rules, scope)
        await request.fetch(f="a/../b ?#%2F{key}é")
        fact = request.settled["f"]
        assert fact.value is not None
        sent = fact.value["headers"]
        assert fact.value["key"] == "a/../b ?#%2F{key}é"
        assert (fact.source, fact.age_ms) == ("live", 2000.0)
        assert 1 <= int(sent.pop("x-request-timeout-ms")) <= 80
        expected = {"traceparent": TRACE, "tracestate": "vendor=1", "x-team": "ops", "authorization": "bearer s3cret"}
        assert sent.items() >= expected.items()


async def test_odd_trace_headers_and_keys_do_no_harm(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        request = Facts(stores.rules, Scope(0, lambda: 1.0, "00-\r\nx: y", tracestate="é"))
        await request.fetch(f="k")
        assert request.settled["f"].source == "live"
        assert "traceparent" not in request["f"]["headers"]  # type: ignore[index]
        for key in ("..", ".", "", "\ud800", "none-such"):
            assert (await ask(stores, key))[1].reason == "not_found"
        assert stores.rules["f"].stats.breaker.state == "closed"  # type: ignore[union-attr]


async def test_connections_are_kept_and_bounded(service: FactService) -> None:
    async with facts(http={"url": service.url, "maxConnections": 2}, timeoutSeconds=5.0) as stores:
        answers = await asyncio.gather(*(ask(stores, f"k{number}") for number in range(10)))
        assert {fact.source for _, fact in answers} == {"live"}
        session = stores.rules["f"].source._source._session  # type: ignore[attr-defined]
        assert sum(len(kept) for kept in session.connector._conns.values()) <= 2


async def test_a_slow_service(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        reasons = {"timeout", "breaker_open"}
        await survives(stores, lambda: service.mode("slow"), lambda: service.mode("well"), 0.8, reasons)


async def test_a_service_that_hangs(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        await survives(stores, service.freeze, service.thaw, 0.8, {"timeout", "breaker_open"})


async def test_a_service_that_dies(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        await survives(stores, service.stop, service.start, 0.8, {"error", "timeout", "breaker_open"})


@pytest.mark.parametrize(
    "mode", ["text", "list", "huge", "endless", "truncated", "500", "401", "302", "reset", "nothttp"]
)
async def test_a_service_that_answers_garbage(
    service: FactService, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    breaker = {"failures": 5, "resetSeconds": 0.1}
    async with facts(http={"url": f"{service.url}?token=s3cret"}, breaker=breaker) as stores:
        with caplog.at_level(logging.WARNING):
            reasons = {"error", "timeout", "breaker_open"}
            await survives(stores, lambda: service.mode(mode), lambda: service.mode("well"), 0.25, reasons)
    assert "s3cret" not in str([vars(record) for record in caplog.records])
    assert any(record.message == "a fact cannot be had" for record in caplog.records)


async def test_one_key_that_is_refused_spoils_nothing(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        service.mode("401")
        await load(stores, 0.1)
        assert stores.rules["f"].stats.breaker.state == "closed"  # type: ignore[union-attr]
        service.mode("well")


async def test_stale_values_bridge_a_fault(service: FactService) -> None:
    cache = {"ttlSeconds": 0.2, "staleIfErrorSeconds": 30}
    async with facts(http={"url": service.url}, cache=cache) as stores:
        await until(stores, "live")
        assert (await ask(stores))[1].source == "cache"
        service.freeze()
        try:
            await asyncio.sleep(0.25)
            seen = [await ask(stores) for _ in range(20)]
        finally:
            service.thaw()
        assert {fact.source for _, fact in seen} == {"stale"}
        assert {fact.reason for _, fact in seen} == {"timeout", "breaker_open"}
        assert all(fact.value["key"] == "k0" and fact.age_ms >= 200 for _, fact in seen)  # type: ignore[index,operator]
        await until(stores, "cache")


async def test_a_hot_key_never_waits_again(service: FactService) -> None:
    async with facts(http={"url": service.url}, cache={"ttlSeconds": 0.2}) as stores:
        await until(stores, "live")
        ends, sources = time.monotonic() + 0.7, set()
        while time.monotonic() < ends:
            sources.add((await ask(stores))[1].source)
            await asyncio.sleep(0.005)
        assert sources == {"cache"}
        cached = stores.stats()["f"].cached
        assert cached is not None
        assert cached.refreshes >= 2


async def test_a_crowd_asks_once(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        crowd: list[Any] = await asyncio.gather(*(ask(stores, "crowd") for _ in range(50)))
        assert {fact.source for _, fact in crowd} == {"live"}
        flights = stores.stats()["f"].flights
        assert flights is not None
        assert flights.joined == 49


async def test_a_fallback_is_the_requests_own(service: FactService) -> None:
    async with facts(http={"url": service.url}) as stores:
        _, fact = await ask(stores, "none")
        assert fact.value == FALLBACK
        fact.value["spoilt"] = True
        latency, fact = await ask(stores, "none")
        assert fact.value == FALLBACK
        assert latency < TIMEOUT * 2
