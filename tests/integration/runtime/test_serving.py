"""The prediction API of a real process, and what each request leaves behind."""

import gzip
import http.client
import itertools
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xxhash
from tests.integration.runtime.process import PREDICT, Runtime, config_for, running, serving
from tests.unit.runtime.builders import BUNDLES

GATEWAY = {
    "x-turnout-objective": "demo/echo",
    "x-turnout-policy-version": "0123456789ab",
    "x-turnout-arm": "challenger",
    "x-turnout-propensity": "0.1",
    "x-turnout-entity": "user-7",
}


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("echo")
    config = config_for(folder, BUNDLES / "echo", serving=serving(timeoutSeconds=0.5))
    with running(folder, config, fresh=True) as runtime:
        yield runtime


def test_an_answer_and_its_record(echo: Runtime) -> None:
    answer = echo.predict({"score": 0.25, "decision": "on_time"}, GATEWAY, request_id="r-1", entity_id="user-7")
    assert (answer.status, answer.headers["x-turnout-revision"]) == (200, "echo-1a2b3c4d")
    assert answer.body == {
        "prediction_id": answer.body["prediction_id"],
        "request_id": "r-1", "model_version": "echo-1a2b3c4d", "policy_version": "0123456789ab", "score": 0.25,
        "decision": "on_time", "confidence": 1.0, "explanations_ref": None, "fallback_used": False, "fallback": None,
    }  # fmt: skip
    record = echo.record_of(answer)
    assert record["cohort"] == xxhash.xxh64_intdigest(b"demo/echo:user-7") % 10_000
    assert (record["arm"], record["propensity"], record["entity_id"]) == ("challenger", 0.1, "user-7")
    assert (record["objective"], record["status"]) == ("echo", "ok")
    assert record["bundle_digest"] == echo.config["bundle"]["digest"]


def test_a_direct_call_has_no_arm(echo: Runtime) -> None:
    answer = echo.predict()
    record = echo.record_of(answer)
    assert (record["arm"], record["cohort"], record["propensity"], record["policy_version"]) == (None,) * 4
    assert record["request_id"] == answer.body["request_id"]


LARGE = b'{"context":{"pad":"' + b"x" * 1024**2 + b'"}}'


@pytest.mark.parametrize(
    ("body", "status", "slug", "detail"),
    [
        (b'{"context":{"score":"nan"}}', 500, "workflow-failed", "the log of the pod has the details"),
        (b'{"context":{"raise":"s3cret"}}', 500, "workflow-failed", "the log of the pod has the details"),
        (b'{"context":{"sleep":5}}', 504, "timeout", "not done in time: 0.5 s"),
        (b'{"context":7}', 400, "invalid-request", "context: must be a JSON object"),
        (b"\xff", 400, "invalid-request", "the body is not JSON"),
        (b"", 400, "invalid-request", "the body is not JSON"),
        (LARGE, 413, "body-too-large", "the limit is 1048576 bytes"),
        (itertools.repeat(b"x" * 65536, 17), 413, "body-too-large", "the limit is 1048576 bytes"),
    ],
    ids=["nan", "raise", "timeout", "field", "bytes", "empty", "large", "large-chunked"],
)
def test_a_failure_is_a_problem_and_a_record(echo: Runtime, body: Any, status: int, slug: str, detail: str) -> None:
    answer = echo.send("POST", PREDICT, body, {"x-request-id": "r-9", "Content-Type": "application/json"})
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.body["type"] == f"https://turnout.dev/problems/{slug}"
    assert (answer.body["status"], answer.body["request_id"]) == (status, "r-9")
    assert detail in answer.body["detail"]
    assert "s3cret" not in json.dumps(answer.body)
    record = echo.record_of(answer)
    assert record["status"] == {500: "error", 504: "timeout", 400: "invalid", 413: "invalid"}[status]
    assert record["decision"] is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 404),
        ("POST", "/v1/other/echo/predict", 404),
        ("POST", "/v1/demo/ECHO/predict", 404),
        ("POST", "/v1/demo/echo/feedback", 422),
        ("GET", PREDICT, 405),
    ],
)
def test_other_paths_and_methods_are_problems_without_a_record(
    echo: Runtime, method: str, path: str, status: int
) -> None:
    before = echo.metric('turnout_requests_total{arm="none",status="invalid"}')
    answer = echo.send(method, path, b"{}")
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.headers.get("allow") == ("OPTIONS, POST" if status == 405 else None)
    assert echo.metric('turnout_requests_total{arm="none",status="invalid"}') == before


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Encoding: gzip\r\nContent-Length: 5", b"hello"),
        ("Content-Encoding: gzip\r\nTransfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"5\r\n{zzzz\r\nzz\r\n"),
        ("Content-Length: 3\r\nContent-Length: 4", b"{}"),
        ("Content-Length: x", b"{}"),
    ],
)
def test_bodies_that_break_http_are_bad_requests(echo: Runtime, head: str, body: bytes) -> None:
    with socket.create_connection(("127.0.0.1", echo.port("http")), timeout=5) as connection:
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body)
        assert connection.recv(1000)[8:13] == b" 400 "


def test_a_compressed_body_is_a_body(echo: Runtime) -> None:
    packed = {"Content-Encoding": "gzip"}
    assert echo.send("POST", PREDICT, gzip.compress(b'{"context":{}}'), packed).status == 200
    assert echo.send("POST", PREDICT, gzip.compress(b'{"context":{"a":"' + b"x" * 10**7 + b'"}}'), packed).status == 413


def test_a_connection_serves_one_request_after_another(echo: Runtime) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", echo.port("http"), timeout=10)
    for body, status in [(b'{"context":{}}', 200), (b"{", 400), (b'{"context":{"raise":""}}', 500)] * 2:
        connection.request("POST", f"{PREDICT}?x=1", body)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


def _head(length: int) -> bytes:
    return f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def test_a_caller_that_goes_away_cancels_its_work(echo: Runtime) -> None:
    gone = 'turnout_requests_total{arm="none",status="error"}'
    before = echo.metric(gone)
    body = b'{"context":{"sleep":60}}'
    with socket.create_connection(("127.0.0.1", echo.port("http"))) as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (PREDICT.encode(), len(body)) + body
        )
        echo.wait_for(lambda: echo.metric("turnout_in_flight") == 1)
    echo.wait_for(lambda: echo.metric("turnout_in_flight") == 0)
    assert echo.metric(gone) == before + 1
    echo.wait_for(lambda: any(record["error_type"] == "CallerGone" for record in echo.records()))


def test_a_body_that_never_ends_is_given_up(echo: Runtime) -> None:
    with socket.create_connection(("127.0.0.1", echo.port("http")), timeout=5) as connection:
        connection.sendall(_head(100) + b"{")
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_probes_and_metrics_tell_the_truth(echo: Runtime) -> None:
    assert echo.get("/livez").status == 200
    assert (echo.get("/readyz").status, echo.get("/readyz").body) == (200, {"phase": "ready"})
    digest = echo.config["bundle"]["digest"]
    assert echo.metric(f'turnout_info{{bundle_digest="{digest}",revision="echo-1a2b3c4d"}}') == 1
    assert echo.metric("process_resident_memory_bytes") < 200e6


def test_there_is_one_record_for_each_request(echo: Runtime) -> None:
    counts = [line for line in echo.get("/metrics").body.splitlines() if line.startswith("turnout_requests_total{")]
    total = sum(float(line.rpartition(" ")[2]) for line in counts)
    echo.wait_for(lambda: echo.metric("turnout_log_records_total") == total)
    assert len(echo.records()) == total
    assert len({record["prediction_id"] for record in echo.records()}) == total
    assert total >= 18


def test_the_log_rotates_within_its_bounds(tmp_path: Path) -> None:
    log = {"directory": str(tmp_path / "log"), "maxFileBytes": 20_000, "maxFiles": 3}
    with running(tmp_path, config_for(tmp_path, BUNDLES / "echo", predictionLog=log)) as runtime:
        connection = http.client.HTTPConnection("127.0.0.1", runtime.port("http"), timeout=10)
        for number in range(200):
            connection.request("POST", PREDICT, json.dumps({"request_id": str(number), "context": {}}))
            connection.getresponse().read()
        connection.close()
        assert runtime.terminate() == 0
        sizes = [path.stat().st_size for path in Path(log["directory"]).iterdir()]  # type: ignore[arg-type]
        assert len(sizes) >= 3
        assert sum(sizes) <= 60_000
        kept = [int(record["request_id"]) for record in runtime.records()]
        assert kept == list(range(200))[-len(kept) :]
        assert len(kept) > 40
