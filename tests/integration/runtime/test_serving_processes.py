"""A pod of several processes: one port, one set of limits and metrics, one end."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtime.process import PREDICT, Runtime, config_for, running, serving, stop
from tests.unit.runtime.builders import BUNDLES

OK = 'turnout_requests_total{arm="none",status="ok"}'


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("two")
    with running(folder, config_for(folder, BUNDLES / "echo", serving=serving(processes=2, concurrency=4))) as runtime:
        yield runtime


def _workers(runtime: Runtime) -> list[int]:
    tasks = Path(f"/proc/{runtime.process.pid}/task/{runtime.process.pid}/children")
    return [int(pid) for pid in tasks.read_text().split()]


def _alive(pid: int) -> bool:
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def test_connections_are_spread_and_counted_together(two: Runtime) -> None:
    before = two.metric(OK)
    for _ in range(60):
        assert two.predict().status == 200
    assert two.metric(OK) == before + 60
    two.wait_for(lambda: two.metric("turnout_log_records_total") == before + 60)
    assert len(two.records()) == before + 60
    writers = {path.name.split("-")[2] for path in two.log.iterdir()}
    assert len(writers) == 2
    assert writers == {str(pid) for pid in _workers(two)}


def test_metrics_are_one_exposition(two: Runtime) -> None:
    lines = two.get("/metrics").body.splitlines()
    samples = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(samples) == len(set(samples))
    heads = [line for line in lines if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    digest = two.config["bundle"]["digest"]
    assert two.metric(f'turnout_info{{bundle_digest="{digest}",revision="echo-1a2b3c4d"}}') == 1


def test_the_limits_are_the_pods(two: Runtime) -> None:
    """Four executions in all, two in each: on one connection after another both are found full."""
    held = []
    for _ in range(40):
        connection = http.client.HTTPConnection("127.0.0.1", two.port("http"), timeout=5)
        connection.request("POST", PREDICT, json.dumps({"context": {"sleep": 0.6}}))
        held.append(connection)
    assert two.metric("turnout_in_flight") <= 4
    for connection in held:
        connection.getresponse().read()
        connection.close()


def test_a_process_that_dies_is_replaced(two: Runtime) -> None:
    victim = _workers(two)[0]
    os.kill(victim, signal.SIGKILL)
    two.wait_for(lambda: any(event["message"].startswith("a process died") for event in two.events()))
    two.wait_for(lambda: len(_workers(two)) == 2 and victim not in _workers(two))
    for _ in range(20):
        assert two.predict().status == 200
    assert two.get("/readyz").status == 200


def test_the_end_is_orderly(tmp_path: Path) -> None:
    config = config_for(tmp_path, BUNDLES / "echo", serving=serving(processes=2, drainSeconds=0.2))
    with running(tmp_path, config) as runtime:
        workers = _workers(runtime)
        connection = http.client.HTTPConnection("127.0.0.1", runtime.port("http"), timeout=5)
        connection.request("POST", PREDICT, json.dumps({"context": {"sleep": 0.5}}))
        time.sleep(0.1)
        assert runtime.terminate() == 0
        assert connection.getresponse().status == 200
        connection.close()
        assert not any(_alive(pid) for pid in workers)
        assert [record["status"] for record in runtime.records()] == ["ok"]


def test_processes_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    config = config_for(tmp_path, BUNDLES / "echo", serving=serving(processes=2))
    with running(tmp_path, config) as runtime:
        workers = _workers(runtime)
        runtime.process.kill()
        deadline = time.monotonic() + 10
        while any(_alive(pid) for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("limits", "bundle", "reason", "told"),
    [
        ({}, "import-error", "WorkflowImportError", "KeyError: 'missing'"),
        ({"idempotency": {"windowSeconds": 10}}, "echo", "ConfigInvalid", "serving.idempotency"),
    ],
)
def test_a_pod_whose_processes_cannot_serve_says_why(
    tmp_path: Path, limits: dict[str, Any], bundle: str, reason: str, told: str
) -> None:
    config = config_for(tmp_path, BUNDLES / bundle, serving=serving(processes=2, **limits))
    runtime = Runtime(tmp_path, config)
    try:
        words = runtime.last_words()
    finally:
        stop(runtime)
    assert words["reason"] == reason
    assert told in words["message"]
