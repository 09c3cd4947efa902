"""The same requests online (a pod, HTTP, a real Redis) and offline (a table, a snapshot): the same bits.

With a workflow of ours, whose sums no float holds; tests/peers does it with trained trees and real flights.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.integration.runtime.fact_servers import RedisServer
from tests.integration.runtime.process import config_for, running, serving
from tests.unit.runtime.builders import write_bundle
from tests.unit.runtime.offline.offline_bundle import WORKFLOW, job, jsonl, table

from turnout_runtime.offline.run import run

AT = "2024-01-02T00:00:00Z"
CODE = WORKFLOW.replace(b"return amount * rate", b"return (amount * rate + 0.1) / 3.0")
NOW = {"EUR": {"rate": 1.1}, "USD": {"rate": 0.1 + 0.2}, "JPY": {"rate": 1e-7}}
ASKED = [
    *({"amount": 0.1 * n, "currency": ("EUR", "USD", "JPY", "GBP")[n % 4]} for n in range(40)),
    {"amount": 2**53 - 1, "currency": "EUR"},
    {"amount": "7", "currency": "EUR"},
    {"amount": None, "currency": "EUR"},
    {"currency": "EUR"},
    {"amount": 1, "currency": None},
    {"amount": 1},
]


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """The pod's records, in the order of the requests."""
    folder = tmp_path_factory.mktemp("pod")
    bundle = write_bundle(folder / "bundle", workflow_py=CODE)
    redis = RedisServer()
    redis.start()
    try:
        for key, value in NOW.items():
            redis.command("SET", f"rate:{key}", json.dumps(value))
        fact = {"redis": {"url": redis.url, "keyPrefix": "rate:"}, "timeoutSeconds": 10}
        settings = config_for(folder, bundle, facts={"rate": fact}, serving=serving(timeoutSeconds=20.0))
        with running(folder / "run", settings) as pod:
            for number, context in enumerate(ASKED):
                assert pod.predict(context, request_id=f"row-{number}").status in (200, 500)
            pod.wait_for(lambda: len(pod.records()) == len(ASKED))
            yield pod.records()
    finally:
        redis.stop()


def offline(folder: Path, source: str) -> list[dict[str, Any]]:
    """The rows of a batch's output."""
    past = [("2024-01-01T00:00:00Z", 0), (AT, 1), ("2024-01-02T00:00:01Z", 2)]
    rows = [
        {"key": key, "time": time, "rate": value["rate"] if which == 1 else -1.0}
        for time, which in past
        for key, value in NOW.items()
    ]
    jsonl(folder / "history.jsonl", rows)
    asked = [{**context, "at": AT} for context in ASKED]
    if source == "parquet":
        asked = [context for context in asked if fits_a_table(context)]
    path = jsonl(folder / "asked.jsonl", asked)
    if source == "parquet":
        with duckdb.connect() as connection:
            types = "{amount: 'DOUBLE', currency: 'VARCHAR', 'at': 'VARCHAR'}"
            connection.execute(f"COPY (FROM read_json('{path}', columns = {types})) TO '{folder}/asked.parquet'")
    settings = {"input": str(folder / f"asked.{source}"), "output": str(folder / "scores.parquet")}
    facts = {"rate": {"uri": str(folder / "history.jsonl")}}
    task = job(folder, CODE, entityIdColumn=None, facts=facts, rowsPerPart=17, **settings)
    run(replace(task, features=True))
    return table(folder / "scores.parquet")


def fits_a_table(context: dict[str, Any]) -> bool:
    """Whether the context may be a row of a Parquet file, whose columns have one type and no absent fields."""
    return isinstance(context.get("amount"), float | int)


def bits(value: float | None) -> bytes:
    return b"unknown" if value is None else struct.pack("<d", value)


@pytest.mark.parametrize("source", ["jsonl", "parquet"])
def test_online_and_offline_give_the_same_bits(tmp_path: Path, online: list[dict[str, Any]], source: str) -> None:
    expected = [record for record in online if source == "jsonl" or fits_a_table(record["context"])]
    found = offline(tmp_path, source)
    assert len(found) == len(expected)
    for row, record in zip(found, expected, strict=True):
        assert (row["status"], row["error_type"]) == (record["status"], record["error_type"]), record
        assert (bits(row["score"]), row["decision"]) == (bits(record["score"]), record["decision"])
        if record["features"] is not None:
            for name, value in record["features"].items():
                assert bits(row[f"features.{name}"]) == bits(value)
    statuses = [row["status"] for row in found]
    assert statuses.count("ok") > 30
    assert statuses.count("error") >= 10
