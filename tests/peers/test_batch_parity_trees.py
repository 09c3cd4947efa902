"""The example's trees, asked online (a pod, HTTP, a real Redis) and offline (tables): the same bits."""

import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from flight_delay import bundles, facts, manifests
from flight_delay.data import Flight, flights
from flight_delay.offline import Snapshot
from tests.integration.runtime.fact_servers import RedisServer
from tests.integration.runtime.process import Runtime, config_for, running, serving
from tests.unit.runtime.offline.offline_bundle import jsonl, table

from turnout_runtime.bundle.archive import unpack
from turnout_runtime.bundle.local import open_bundle
from turnout_runtime.config import Batch, FactConfig
from turnout_runtime.offline.job import Job
from turnout_runtime.offline.run import run

EPOCH = datetime(2013, 1, 1, tzinfo=UTC)
PREFIXES = ("weather", "plane")


def tables() -> dict[str, facts.Table]:
    """The facts of January and July."""
    found = facts.tables()
    return {**found, "weather": {k: v for k, v in found["weather"].items() if k[9:11] in ("01", "02", "07", "08")}}


@pytest.fixture(scope="module")
def sample() -> list[Flight]:
    return flights([1, 7])[::200]


@pytest.fixture(scope="module")
def bundle(sample: list[Flight], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's challenger, trained on a few flights."""
    folder = tmp_path_factory.mktemp("challenger")
    snapshot = Snapshot(facts.tables(), manifests.fact_fallbacks())
    half = len(sample) // 2
    built = bundles.build("challenger", bundles.Data(sample[:half], sample[half:], snapshot), folder)
    unpack(built.archive, folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def asked(sample: list[Flight]) -> list[dict[str, Any]]:
    """Requests, some of them with what is not right."""
    rows = [
        {**flight.context(), "id": f"flight-{n}", "asked_at": flight.scheduled_departure}
        for n, flight in enumerate(sample)
    ]
    rows[3]["flight"] = 0
    rows[4]["tailnum"] = None
    del rows[5]["tailnum"]
    del rows[6]["dest"]
    return rows


@pytest.fixture(scope="module")
def online(
    asked: list[dict[str, Any]], bundle: Path, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """The prediction log of the pod that was asked, by request id."""
    for name, values in tables().items():
        words = [word for key, value in values.items() for word in (f"{name}:{key}", json.dumps(value))]
        for start in range(0, len(words), 2000):
            assert redis.command("MSET", *words[start : start + 2000]) == b"+OK\r\n"
    folder = tmp_path_factory.mktemp("pod")
    settings = config_for(folder, bundle, facts=declared(redis.url), serving=serving(timeoutSeconds=20.0))
    settings["predictionLog"]["maxFileBytes"] = 50_000_000
    with running(folder, settings) as pod:
        for row in asked:
            ask(pod, row)
        last = pod.predict({}, request_id="last")
        assert last.status == 400
        pod.wait_for(lambda: any(record["request_id"] == "last" for record in pod.records()))
        return {record["request_id"]: record for record in pod.records()}


def ask(pod: Runtime, row: dict[str, Any]) -> None:
    context = {name: value for name, value in row.items() if name not in ("id", "asked_at")}
    assert pod.predict(context, request_id=row["id"]).status in (200, 400)


def declared(url: str) -> dict[str, Any]:
    """The section facts, with a timeout that a busy machine keeps."""
    fallbacks = manifests.fact_fallbacks()
    return {
        name: {"redis": {"url": url, "keyPrefix": f"{name}:"}, "timeoutSeconds": 10, "fallback": fallbacks[name]}
        for name in PREFIXES
    }


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each fact's past: its value as Redis has it, what it was before, and what it became later."""
    folder = tmp_path_factory.mktemp("history")
    for name, values in tables().items():
        rows = []
        for key, value in values.items():
            at = datetime.strptime(key[4:], "%Y-%m-%dT%HZ").replace(tzinfo=UTC) if name == "weather" else EPOCH
            spoilt = dict.fromkeys(value, -1.0)
            rows.append({"key": key, "time": (at + timedelta(hours=1)).isoformat(), **spoilt})
            rows.append({"key": key, "time": at.isoformat(), **value})
            rows.append({"key": key, "time": (at - timedelta(hours=1)).isoformat(), **spoilt})
        if name == "plane":
            rows = [row for row in rows if row["time"] <= EPOCH.isoformat()]
        jsonl(folder / f"{name}.jsonl", rows)
    return {name: str(folder / f"{name}.jsonl") for name in PREFIXES}


def offline(
    folder: Path, bundle: Path, asked: list[dict[str, Any]], history: dict[str, str], source: str
) -> dict[str, dict[str, Any]]:
    """The rows of a batch's output, by request id."""
    path = jsonl(folder / "flights.jsonl", asked)
    if source == "parquet":
        with duckdb.connect() as connection:
            names = "scheduled_departure: 'VARCHAR', asked_at: 'VARCHAR', carrier: 'VARCHAR', flight: 'BIGINT'"
            names += ", origin: 'VARCHAR', dest: 'VARCHAR', tailnum: 'VARCHAR', id: 'VARCHAR'"
            connection.execute(f"COPY (FROM read_json('{path}', columns = {{{names}}})) TO '{folder}/flights.parquet'")
    batch = Batch.model_validate(
        {
            "input": str(folder / f"flights.{source}"),
            "output": str(folder / "scores.parquet"),
            "timeColumn": "asked_at",
            "requestIdColumn": "id",
            "facts": {name: {"uri": uri} for name, uri in history.items()},
            "processes": 1,
            "rowsPerPart": 100,
        }
    )
    configs = {name: FactConfig.model_validate(fact) for name, fact in declared("redis://nowhere").items()}
    run(Job(open_bundle(bundle, folder / "cache"), "offline", batch, configs, features=True))
    return {row["request_id"]: row for row in table(folder / "scores.parquet")}


def bits32(value: float | None) -> bytes:
    return b"unknown" if value is None else struct.pack("<f", value)


@pytest.mark.parametrize("source", ["jsonl", "parquet"])
def test_online_and_offline_give_the_same_bits(
    tmp_path: Path,
    bundle: Path,
    asked: list[dict[str, Any]],
    history: dict[str, str],
    online: dict[str, dict[str, Any]],
    source: str,
) -> None:
    found = offline(tmp_path, bundle, asked, history, source)
    assert found.keys() == online.keys() - {"last"}
    for request_id, row in found.items():
        record = online[request_id]
        assert (row["status"], row["error_type"]) == (record["status"], record["error_type"])
        assert row["score"] == record["score"]
        assert [row["decision"], row["confidence"], row["fallback"]] == [
            record["decision"],
            record["confidence"],
            record["fallback"],
        ]
        if record["features"] is not None:
            features = {name: bits32(row[f"features.{name}"]) for name in record["features"]}
            assert features == {name: bits32(value) for name, value in record["features"].items()}
            assert json.loads(row["details"]) == record["details"]
    statuses = [row["status"] for row in found.values()]
    assert (statuses.count("ok"), statuses.count("invalid")) == (len(asked) - 2, 2)
    fallbacks = [row["fallback"] for row in found.values()]
    assert 10 < fallbacks.count("facts") < len(asked) / 2  # planes that the registry lacks
