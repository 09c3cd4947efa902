"""Facts from a real Redis: live, absent, garbage, slow, gone and back."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.runtime.process import Runtime, config_for, free_port, running
from tests.unit.runtime.builders import BUNDLES

from turnout_runtime.facts import Found
from turnout_runtime.facts.redis import RedisStore

PASSWORD = "s3cret"


class RedisServer:
    """A redis-server process on loopback, without persistence."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("these tests need a real Redis: apt-get install redis-server")
        options = f"--port {self.port} --bind 127.0.0.1 --save '' --appendonly no --requirepass {PASSWORD}"
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {program} {options}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return self.command("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def command(self, *words: str) -> bytes:
        """The reply's first line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            stream = connection.makefile("rwb")
            for parts in (("AUTH", PASSWORD), words):
                stream.write(f"*{len(parts)}\r\n".encode())
                stream.writelines(f"${len(part.encode())}\r\n{part}\r\n".encode() for part in parts)
                stream.flush()
                reply = stream.readline()
            return reply

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


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
    url = f"redis://:{PASSWORD}@127.0.0.1:{redis.port}/0"
    with running(folder, config_for(folder, BUNDLES / "echo", facts=facts), WEATHER_URL=url) as started:
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
    redis.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        fallback_used, facts = _ask(runtime, weather="JFK:7", plane="N1")
        assert time.monotonic() - started < 2
        assert fallback_used
        assert _sources(facts) == {"weather": ("fallback", "timeout"), "plane": ("missing", "timeout")}
        assert 140 < facts["weather"]["latency_ms"] < 1000
    finally:
        redis.signal(signal.SIGCONT)
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
    store = RedisStore(f"redis://:{PASSWORD}@127.0.0.1:{redis.port}", longest_timeout=10.0)
    assert await store.connect()
    redis.signal(signal.SIGSTOP)
    wishes = []
    for _ in range(12):
        wishes.append(store.get("x"))
        await asyncio.sleep(0.005)  # a turn of its own for each
    redis.signal(signal.SIGCONT)
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
