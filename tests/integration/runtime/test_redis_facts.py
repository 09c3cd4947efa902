"""Facts from a real Redis: live, absent, garbage, slow, gone and back."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.runtime.fact_servers import PASSWORD, RedisServer
from tests.integration.runtime.process import Runtime, config_for, running
from tests.unit.runtime.builders import BUNDLES

from turnout_runtime.facts import Found
from turnout_runtime.facts.redis import RedisStore
from turnout_runtime.facts.values import Decoder


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("redis")
    facts = {
        "weather": {
            "redis": {"url": None, "urlFromEnv": "WEATHER_URL", "keyPrefix": "weather:"},
            "timeoutSeconds": 0.15,
            "fallback": {"wind": 0},
        },
        "plane": {"redis": {"urlFromEnv": "WEATHER_URL", "keyPrefix": "plane:"}, "timeoutSeconds": 0.15},
    }
    with running(folder, config_for(folder, BUNDLES / "echo", facts=facts), WEATHER_URL=redis.url) as started:
        yield started


def _ask(runtime: Runtime, **keys: str | None) -> tuple[bool, dict[str, Any]]:
    """Whether a fallback was used, and the facts as they were recorded."""
    answer = runtime.predict({"facts": keys})
    assert answer.status == 200
    record = runtime.record_of(answer)
    assert record["fallback_used"] == answer.body["fallback_used"]
    return record["fallback_used"], record["facts"]


def _sources(facts: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {name: (fact["source"], fact.get("reason")) for name, fact in facts.items()}


def test_live_facts_are_values_under_the_prefix(runtime: Runtime, redis: RedisServer) -> None:
    redis.command("SET", "weather:JFK:7", '{"wind": 12.5,\n "gust": null}')
    redis.command("SET", "plane:N1", '{"seats": 150}')
    fallback_used, facts = _ask(runtime, weather="JFK:7", plane="N1")
    assert not fallback_used
    assert facts["weather"]["value"] == {"wind": 12.5, "gust": None}
    assert facts["plane"]["value"] == {"seats": 150}
    assert _sources(facts) == {"weather": ("live", None), "plane": ("live", None)}
    assert 0 < facts["weather"]["latency_ms"] < 150


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "not_found"), ("{", "error"), ("[1]", "error"), ("", "error"), ("\xff", "error")]
)
def test_absent_and_garbage_values_become_the_fallback(
    runtime: Runtime, redis: RedisServer, value: str | None, reason: str
) -> None:
    if value is not None:
        redis.command("SET", "weather:odd", value)
        redis.command("SET", "plane:odd", value)
    fallback_used, facts = _ask(runtime, weather="odd" if value is not None else "none", plane=None)
    assert fallback_used
    assert facts["weather"]["value"] == {"wind": 0}
    assert _sources(facts) == {"weather": ("fallback", reason), "plane": ("missing", "no_key")}


def test_a_value_of_another_type_is_as_absent(runtime: Runtime, redis: RedisServer) -> None:
    redis.command("HSET", "plane:hash", "a", "b")
    assert _sources(_ask(runtime, plane="hash")[1]) == {"plane": ("missing", "not_found")}


def test_a_frozen_store_costs_its_timeout_and_is_found_again(runtime: Runtime, redis: RedisServer) -> None:
    redis.command("SET", "plane:N1", '{"seats": 150}')
    redis.freeze()
    try:
        started = time.monotonic()
        fallback_used, facts = _ask(runtime, weather="JFK:7", plane="N1")
        assert time.monotonic() - started < 2
        assert fallback_used
        assert _sources(facts) == {"weather": ("fallback", "timeout"), "plane": ("missing", "timeout")}
        assert 140 < facts["weather"]["latency_ms"] < 1000
    finally:
        redis.thaw()
    _wait_until_live(runtime, 5)


def test_a_store_that_died_is_found_again(runtime: Runtime, redis: RedisServer) -> None:
    redis.stop()
    _, facts = _ask(runtime, weather="JFK:7", plane="N1")
    assert {fact["source"] for fact in facts.values()} == {"fallback", "missing"}
    redis.start()
    redis.command("SET", "plane:N1", '{"seats": 151}')
    _wait_until_live(runtime, 5)
    assert runtime.metric('turnout_facts_total{fact="plane",source="live"}') >= 1
    assert runtime.metric('turnout_facts_total{fact="weather",source="fallback"}') >= 1


def test_connections_that_went_stale_cost_nothing(runtime: Runtime, redis: RedisServer) -> None:
    redis.command("SET", "plane:N1", '{"seats": 150}')
    _wait_until_live(runtime, 5)
    for _ in range(3):
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        assert _ask(runtime, plane="N1")[1]["plane"]["source"] == "live"


async def test_wishes_that_found_all_connections_busy_are_answered_later(redis: RedisServer) -> None:
    redis.command("SET", "x", '{"x": 1}')
    store = RedisStore(redis.url, longest_timeout=10.0)
    await store.connect()
    redis.freeze()
    wishes = []
    for _ in range(12):
        wishes.append(store.get("x", Decoder()))
        await asyncio.sleep(0.005)  # a turn of its own for each
    redis.thaw()
    assert await asyncio.wait_for(asyncio.gather(*wishes), 10) == [Found({"x": 1})] * 12
    await store.close()


def _wait_until_live(runtime: Runtime, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _ask(runtime, plane="N1")[1]["plane"]["source"] != "live":
        assert time.monotonic() < deadline


def test_an_undeclared_fact_is_an_error_that_says_so(runtime: Runtime) -> None:
    assert runtime.predict({"facts": {"whether": "x"}}).status == 500
    runtime.wait_for(lambda: any("fact 'whether' is not declared" in e.get("exception", "") for e in runtime.events()))


def test_the_password_is_nowhere(runtime: Runtime) -> None:
    assert PASSWORD not in (runtime.folder / "stderr").read_text()
    assert PASSWORD not in json.dumps(runtime.records())
    assert os.environ.get("WEATHER_URL") is None
