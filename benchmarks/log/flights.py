"""The flight example: its requests as the gateway hands them on, its two bundles, and the stores of its facts."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from benchmarks.harness.kept import kept
from benchmarks.harness.ours import Turnout
from benchmarks.harness.places import CACHE, CHECKOUT
from benchmarks.harness.processes import Process, free_port, listens
from benchmarks.harness.servers import Answer, Dialect, compact
from tests.cluster.progress import step
from tests.cluster.shell import run

EXAMPLE = CHECKOUT / "examples" / "01-flight-delay"
MAIN, CHALLENGER = "main", "challenger"
SHARES: Mapping[str, float] = {MAIN: 0.9, CHALLENGER: 0.1}
"""Of the arms, as the example's RoutingPolicy splits."""
_BUNDLES = {MAIN: "champion", CHALLENGER: "challenger"}
_PATIENCE = 20.0
SERVING: Mapping[str, Mapping[str, Any]] = {
    MAIN: {
        "cache": {
            "ttlSeconds": 300,
            "keyFields": [f"context.{name}" for name in ("carrier", "origin", "dest", "scheduled_departure")],
            "staleIfErrorSeconds": 3600,
        },
        "idempotency": {"windowSeconds": 60},
    },
    CHALLENGER: {"batching": {"strategy": "dynamic", "maxSize": 32}, "idempotency": {"windowSeconds": 60}},
}
"""What the example's manifests say about serving, by arm."""
_FACT_SECONDS = 1.0
"""More than the manifests say: the registry is asked as fast as it answers, and rows are to have what it answers."""
_MEAN_WEATHER = {
    **{"temp": 49.4, "dewp": 35.3, "humid": 61.5, "wind_speed": 11.2},
    **{"precip": 0.005, "visib": 9.1, "pressure": 1017.3},
}
_LONG = {"timeoutSeconds": 2.0, "maxQueueDepth": 128, "maxQueueWaitSeconds": 0.5}


def prepared() -> Path:
    """The folder with what `make` makes."""

    def make(folder: Path) -> None:
        path = os.pathsep.join(map(str, (CHECKOUT, EXAMPLE)))
        with step("training the flights' models"):
            run([sys.executable, "-m", "benchmarks.log.make", str(folder)], env={**os.environ, "PYTHONPATH": path})

    sources = [Path(__file__).with_name("make.py"), *EXAMPLE.glob("flight_delay/*.py"), *EXAMPLE.glob("bundle/*")]
    return kept(CACHE / "bench-log" / "flights", sorted(path for path in sources if path.is_file()), make)


def questions(count: int, prefix: str) -> list[Answer]:
    """`count` flights, evenly spread from July to December (from the first again when there are too few)."""
    lines = (prepared() / "flights.jsonl").read_bytes().splitlines()
    chosen = lines[:: max(1, len(lines) // count)]
    asked = (json.loads(chosen[number % len(chosen)]) for number in range(count))
    return [{"request_id": f"{prefix}-{number:05d}", **each} for number, each in enumerate(asked, start=1)]


def dialect(arm: str) -> Dialect:
    """How the gateway asks a pod of the arm."""
    fixed = {
        "x-turnout-objective": "flight-delay",
        "x-turnout-policy-version": "5f0c1d2e9a7b",
        "x-turnout-arm": arm,
        "x-turnout-propensity": f"{SHARES[arm]:g}",
    }

    def body(asked: Answer) -> bytes:
        return compact({"request_id": asked["request_id"], "context": asked["context"]})

    def headers(asked: Answer) -> Mapping[str, str]:
        return {**fixed, "x-entity-id": asked["entity_id"], "x-turnout-entity": asked["entity_id"]}

    return Dialect("/v1/bench/flight-delay/predict", body, json.loads, headers)


def server(
    name: str,
    core: int,
    arm: str = MAIN,
    *,
    serving: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    log: Mapping[str, Any] | None = None,
    wrapper: tuple[object, ...] = (),
) -> Turnout:
    """A pod of an arm."""
    limits = {**_LONG, **(serving or {})}
    return Turnout(name, core, prepared() / _BUNDLES[arm], dialect(arm), limits, facts, log, wrapper)


@contextmanager
def facts(core: int) -> Iterator[Mapping[str, Any]]:
    """The example's Redis and plane registry while the block runs; spec.facts of the challenger."""
    weather, planes = free_port(), free_port()
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", str(weather)]
    registry = [sys.executable, EXAMPLE / "plane_registry.py", prepared() / "plane.json", str(planes)]
    with (
        Process("redis", [shutil.which("redis-server") or "redis-server", *options], core) as store,
        Process("plane-registry", registry, core) as service,
    ):
        store.wait_until(lambda: _filled(weather), _PATIENCE)
        service.wait_until(lambda: listens(planes), _PATIENCE)
        yield {
            "weather": {
                "redis": {"url": f"redis://127.0.0.1:{weather}/0", "keyPrefix": "weather:"},
                "timeoutSeconds": _FACT_SECONDS,
                "cache": {"ttlSeconds": 60, "staleIfErrorSeconds": 3600},
                "fallback": _MEAN_WEATHER,
            },
            "plane": {
                "http": {"url": f"http://127.0.0.1:{planes}/planes/{{key}}"},
                "timeoutSeconds": _FACT_SECONDS,
                "cache": {"ttlSeconds": 600, "staleIfErrorSeconds": 3600},
                "fallback": {},
            },
        }


def _filled(port: int) -> bool:
    table = json.loads((prepared() / "weather.json").read_text())
    try:
        with redis.Redis(port=port) as client:
            return bool(client.mset({f"weather:{key}": compact(value) for key, value in table.items()}))
    except redis.exceptions.RedisError:
        return False
