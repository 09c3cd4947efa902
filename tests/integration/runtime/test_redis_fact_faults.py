"""A real Redis that hangs, dies, is slow or says garbage; vectors; and what its cache and breaker make of it."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.integration.runtime.fact_load import Proxy, ask, facts, load, survives, until
from tests.integration.runtime.fact_servers import PASSWORD, RedisServer

from turnout_runtime.facts.connect import FactStores

CUT_OFF, HANGING, WAITING = {"error", "timeout", "breaker_open"}, {"timeout", "breaker_open"}, {"timeout"}


def _fill(server: RedisServer, value: str | bytes = '{"wind": 12.5}', keys: int = 50) -> None:
    words = [word for number in range(keys) for word in (f"w:k{number}", value)]
    server.command("MSET", *words)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    _fill(server)
    yield server
    server.stop()


@asynccontextmanager
async def _proxied(server: RedisServer) -> AsyncIterator[tuple[Proxy, FactStores]]:
    proxy = Proxy(server.port)
    breaker = {"failures": 5, "resetSeconds": 0.2}
    async with proxy.running() as port:
        url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        async with facts(redis={"url": url, "keyPrefix": "w:"}, breaker=breaker) as stores:
            yield proxy, stores


async def test_a_store_that_hangs(redis: RedisServer) -> None:
    async with facts(redis={"url": redis.url, "keyPrefix": "w:"}) as stores:
        await survives(stores, redis.freeze, redis.thaw, 0.8, HANGING)


async def test_a_store_that_dies(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    def revive() -> None:
        redis.start()
        _fill(redis)

    async with facts(redis={"url": redis.url, "keyPrefix": "w:"}) as stores:
        with caplog.at_level(logging.WARNING):
            await survives(stores, redis.stop, revive, 0.8, CUT_OFF)
    assert PASSWORD not in str([vars(record) for record in caplog.records])


async def test_without_a_breaker_requests_are_in_time_all_the_same(redis: RedisServer) -> None:
    async with facts(redis={"url": redis.url, "keyPrefix": "w:"}, breaker=None) as stores:
        await survives(stores, redis.freeze, redis.thaw, 0.8, WAITING)


async def test_a_slow_store(redis: RedisServer) -> None:
    async def slowly(chunk: bytes) -> bytes:
        await asyncio.sleep(1.0)
        return chunk

    async with _proxied(redis) as (proxy, stores):
        await survives(stores, lambda: proxy.let(slowly), lambda: proxy.let(None), 0.8, HANGING)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1\r\n$-7\r\n", b"*3\r\n:1\r\n", b"-ERR no\r\n", None]
)
async def test_a_store_that_breaks_its_protocol(redis: RedisServer, said: bytes | None) -> None:
    async def garbage(chunk: bytes) -> bytes | None:
        return said

    async with _proxied(redis) as (proxy, stores):
        await survives(stores, lambda: proxy.let(garbage), lambda: proxy.let(None), 0.3, CUT_OFF)


@pytest.mark.parametrize("value", ["{", "[1]", "", b"\xff\x00", '{"x": "' + "y" * 2**21 + '"}'], ids=len)
async def test_values_that_are_no_facts(redis: RedisServer, value: str | bytes) -> None:
    async with facts(redis={"url": redis.url, "keyPrefix": "w:"}) as stores:
        await until(stores, "live", key="k9")
        _fill(redis, value, keys=1)
        for _ in range(10):
            bad, good = await asyncio.gather(ask(stores, "k0"), ask(stores, "k9"))  # in one round trip
            assert (bad[1].source, bad[1].reason) == ("fallback", "error")
            assert good[1].source == "live"
        assert stores.rules["f"].stats.breaker.state == "closed"  # type: ignore[union-attr]
        _fill(redis)


async def test_a_precomputed_vector(redis: RedisServer) -> None:
    vector = [0.5, -1.25, 3.0]
    redis.command("SET", "w:v", struct.pack("<3f", *vector))
    redis.command("SET", "w:odd", b"abcde")
    async with facts(redis={"url": redis.url, "keyPrefix": "w:", "encoding": "float32"}) as stores:
        assert (await ask(stores, "v"))[1].value == {"vector": vector}
        assert (await ask(stores, "odd"))[1].reason == "error"
        assert (await ask(stores, "none"))[1].reason == "not_found"
        assert (await ask(stores, "\ud800"))[1].reason == "not_found"


async def test_what_is_cached_outlives_the_store(redis: RedisServer) -> None:
    cache = {"ttlSeconds": 0.3, "staleIfErrorSeconds": 30}
    async with facts(redis={"url": redis.url, "keyPrefix": "w:"}, cache=cache) as stores:
        await asyncio.gather(*(ask(stores, f"k{number}") for number in range(50)))
        redis.freeze()
        try:
            seen = await load(stores, 0.8)
        finally:
            redis.thaw()
        assert {fact.source for _, fact in seen} == {"cache", "stale"}
        assert all(fact.value == {"wind": 12.5} for _, fact in seen)
        await until(stores, "cache")
