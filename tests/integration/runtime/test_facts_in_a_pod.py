"""Facts of all kinds in one pod: what its records say of each, and what callers notice when every store hangs."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.runtime.fact_servers import PASSWORD, FactService, RedisServer
from tests.integration.runtime.process import Runtime, config_for, running, serving
from tests.unit.runtime.builders import BUNDLES

TIMEOUT = 0.5
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEYS = {"weather": "JFK", "plane": "N1", "history": None}


@pytest.fixture(scope="module")
def service() -> Iterator[FactService]:
    server = FactService()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    server.command("SET", "plane:N1", '{"seats": 150}')
    yield server
    server.stop()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, service: FactService) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("facts")
    facts = {
        "weather": {
            "http": {"url": service.url, "headersFromEnv": {"x-token": "TOKEN"}},
            "timeoutSeconds": 0.1,
            "fallback": {"wind": 0},
        },
        "plane": {
            "redis": {"urlFromEnv": "PLANE_URL", "keyPrefix": "plane:"},
            "timeoutSeconds": 0.1,
            "cache": {"ttlSeconds": 0.3, "staleIfErrorSeconds": 60},
        },
        "history": {"caller": {}, "timeoutSeconds": 0.1},
    }
    config = config_for(folder, BUNDLES / "echo", facts=facts, serving=serving(timeoutSeconds=TIMEOUT))
    with running(folder, config, PLANE_URL=redis.url, TOKEN=PASSWORD) as started:
        yield started


def _ask(runtime: Runtime) -> tuple[dict[str, Any], dict[str, Any]]:
    """An answer, and the facts of its record."""
    answer = runtime.predict({"facts": KEYS}, {"traceparent": TRACE}, feature_refs={"history": {"late": 2}})
    assert answer.status == 200
    return answer.body, runtime.record_of(answer)["facts"]


def _until(runtime: Runtime, **sources: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while True:
        facts = _ask(runtime)[1]
        if all(facts[name]["source"] == source for name, source in sources.items()):
            return facts
        assert time.monotonic() < deadline, facts


def test_a_record_says_where_every_fact_came_from(runtime: Runtime) -> None:
    facts = _until(runtime, weather="live", plane="cache", history="caller")
    assert facts["plane"]["value"] == {"seats": 150}
    assert 0 <= facts["plane"]["age_ms"] < 300
    assert facts["history"]["value"] == {"late": 2}
    told = facts["weather"]["value"]["headers"]
    assert told["x-token"] == PASSWORD
    assert 1 <= int(told["x-request-timeout-ms"]) <= 100
    assert told["traceparent"].split("-")[1] == TRACE.split("-")[1]


def test_stores_that_hang_cost_no_request_more_than_its_timeout(
    runtime: Runtime, redis: RedisServer, service: FactService
) -> None:
    _until(runtime, weather="live", plane="cache")
    redis.freeze()
    service.freeze()
    try:
        time.sleep(0.3)  # the cache's time to live
        seen = _load(runtime, 1.2)
    finally:
        redis.thaw()
        service.thaw()
    thawed = time.monotonic()
    assert {status for _, status, _ in seen} == {200}
    assert all(marked for _, _, marked in seen)
    latencies = sorted(latency for latency, _, _ in seen)
    assert len(latencies) > 50
    assert latencies[int(len(latencies) * 0.99)] <= TIMEOUT
    facts = _until(runtime, weather="live", plane="cache")
    assert time.monotonic() - thawed < 5
    assert "reason" not in facts["plane"] or facts["plane"]["reason"] is None


def test_the_secrets_are_nowhere(runtime: Runtime) -> None:
    assert PASSWORD not in (runtime.folder / "stderr").read_text()
    assert PASSWORD not in (runtime.folder / "runtime.json").read_text()


def _load(runtime: Runtime, seconds: float) -> list[tuple[float, int, bool]]:
    """Latency, status and whether a stand-in was marked, of what a few clients ask meanwhile."""
    seen: list[tuple[float, int, bool]] = []
    ends = time.monotonic() + seconds

    def client() -> None:
        while (began := time.monotonic()) < ends:
            answer = runtime.predict({"facts": KEYS}, feature_refs={"history": {}})
            seen.append((time.monotonic() - began, answer.status, answer.body["fallback_used"]))

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen
