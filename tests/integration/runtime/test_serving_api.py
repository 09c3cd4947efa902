"""What the prediction port answers: events, the OpenAPI document, problems, and how requests are turned away."""

import gzip
import http.client
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from tests.integration.runtime.flights import PREDICT, Pod, pod
from tests.integration.runtime.wire import Wire, bodies, read, request, statuses, wait_for

from turnout_runtime.serve.readiness import Phase

CLOSE = b"Connection: close\r\n"
EVENTS = b"Accept: text/event-stream\r\n" + CLOSE
Door = tuple[Wire, Pod]


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    with pod(timeoutSeconds=0.5) as made:
        yield made


def flight(carrier: str = "UA", minutes: Any = 20, **fields: Any) -> bytes:
    return json.dumps({"context": {"carrier": carrier, "minutes": minutes}, **fields}).encode()


def call(wire: Wire, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=5)
    try:
        connection.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    lowered = {name.lower(): value for name, value in response.getheaders()}
    return response.status, lowered, json.loads(content) if content else None


def events(received: bytes) -> list[tuple[str, Any]]:
    """Event names and their data out of a chunked answer."""
    _, _, rest = received.partition(b"\r\n\r\n")
    text = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        text, rest = text + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    found = []
    for block in text.decode().split("\n\n")[:-1]:
        event, data = block.split("\n")
        found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_has_the_details(door: Door) -> None:
    status, headers, body = call(door[0], "POST", PREDICT, flight())
    assert (status, body["decision"], body["details"]) == (200, "late", {"minutes": 20.0})
    assert (headers["content-type"], headers["x-turnout-revision"]) == ("application/json", "delay-1")
    assert "date" in headers


def test_a_wrong_field_is_named(door: Door) -> None:
    status, headers, body = call(door[0], "POST", PREDICT, flight(minutes="x"))
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert "context.minutes" in body["detail"]
    assert body["prediction_id"] == door[1].predictions[-1].prediction_id


def test_a_workflow_that_yields_is_a_stream_of_events(door: Door) -> None:
    received = door[0].exchange(request(flight("!chunks"), PREDICT, EVENTS))
    assert b"Content-Type: text/event-stream\r\n" in received
    found = events(received)
    assert [event for event, _ in found] == ["chunk", "chunk", "chunk", "decision"]
    assert [data for _, data in found[:3]] == [{"part": 0}, {"part": 1}, {"part": 2}]
    assert found[3][1]["decision"] == "late"


def test_the_same_workflow_answers_at_once_those_who_want_no_events(door: Door) -> None:
    assert call(door[0], "POST", PREDICT, flight("!chunks"))[2]["decision"] == "late"


def test_an_error_after_the_first_chunk_is_an_event(door: Door) -> None:
    found = events(door[0].exchange(request(flight("!breaks"), PREDICT, EVENTS)))
    assert [event for event, _ in found] == ["chunk", "chunk", "chunk", "problem"]
    assert found[3][1]["type"].endswith("/workflow-failed")
    assert "s3cret" not in json.dumps(found)


def test_an_error_before_the_first_chunk_is_an_answer(door: Door) -> None:
    for carrier, status in [("!fails", 500), ("much too long", 400)]:
        received = door[0].exchange(request(flight(carrier), PREDICT, EVENTS))
        assert statuses(received) == [status]
        assert b"application/problem+json" in received


def test_events_go_on_over_one_connection(door: Door) -> None:
    with door[0].connect() as connection:
        for _ in range(3):
            connection.sendall(request(flight("!chunks"), PREDICT, b"Accept: text/event-stream\r\n"))
            assert events(read(connection, b"\r\n0\r\n\r\n"))[-1][0] == "decision"


def test_the_openapi_document_is_one_and_describes_the_answers(door: Door) -> None:
    document = call(door[0], "GET", "/v1/demo/delay/openapi.json")[2]
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "delay-model"
    operation = document["paths"][PREDICT]["post"]
    assert {"200", "400", "408", "413", "422", "429", "503", "504"} <= operation["responses"].keys()
    schemas = document["components"]["schemas"]
    assert schemas["PredictionRequest"]["properties"]["context"]["properties"]["kind"]["enum"] == ["cargo", "people"]
    assert schemas["PredictionAnswer"]["properties"]["decision"]["enum"] == ["late", "on_time"]
    for name, body in [("PredictionAnswer", flight()), ("Problem", b"{}")]:
        answer = call(door[0], "POST", PREDICT, body)[2]
        jsonschema.validate(answer, {**schemas[name], "components": {"schemas": schemas}})


def test_the_document_without_an_objective_has_it_as_a_parameter(door: Door) -> None:
    document = call(door[0], "GET", "/openapi.json")[2]
    item = document["paths"]["/v1/demo/{objective}/predict"]
    assert item["parameters"][0]["name"] == "objective"


def test_methods(door: Door) -> None:
    assert call(door[0], "OPTIONS", PREDICT)[1]["allow"] == "OPTIONS, POST"
    status, headers, body = call(door[0], "HEAD", "/openapi.json")
    assert (status, body) == (200, None)
    assert int(headers["content-length"]) > 1000
    for method in ("GET", "HEAD", "PUT", "DELETE", "TRACE", "PATCH"):
        status, headers, _ = call(door[0], method, PREDICT)
        assert (status, headers["allow"]) == (405, "OPTIONS, POST")


def test_targets_may_be_absolute_and_have_a_query(door: Door) -> None:
    for target in (f"http://anything:1{PREDICT}", f"{PREDICT}?a=b"):
        assert statuses(door[0].exchange(request(flight(), target, CLOSE))) == [200]


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(flight(), mtime=0), 200),
        ("deflate", zlib.compress(flight()), 200),
        ("identity", flight(), 200),
        ("br", flight(), 415),
        ("gzip", flight(), 400),
        ("gzip", gzip.compress(flight(), mtime=0)[:-9], 400),
        ("gzip", gzip.compress(b"x" * 3_000_000), 413),
    ],
)
def test_bodies_may_be_compressed(door: Door, encoding: str, body: bytes, status: int) -> None:
    assert call(door[0], "POST", PREDICT, body, content_encoding=encoding)[0] == status


def test_a_caller_may_be_in_a_hurry(door: Door) -> None:
    started = time.monotonic()
    status, _, body = call(door[0], "POST", PREDICT, flight("!hang"), x_request_timeout_ms="50")
    assert (status, body["type"].rpartition("/")[2]) == (504, "timeout")
    assert time.monotonic() - started < 0.4


def test_a_full_pod_sheds_before_it_reads() -> None:
    with pod(concurrency=1, maxQueueDepth=0, timeoutSeconds=5.0) as (wire, made), wire.connect() as busy:
        busy.sendall(request(flight("!hang"), PREDICT))
        wait_for(made.plane.overloaded)
        sent = request(b"no JSON", PREDICT, b'x-request-id: a"b\r\n') + request(b"", PREDICT, CLOSE)
        received = wire.exchange(sent)
        assert statuses(received) == [429, 429]
        assert received.count(b"Retry-After: 1\r\n") == 2
        problem = json.loads(bodies(received)[0])
        assert problem["type"].endswith("/overloaded")
        assert (problem["status"], problem["request_id"]) == (429, 'a"b')
        assert problem["prediction_id"] == made.predictions[0].prediction_id
        assert [prediction.error_type for prediction in made.predictions] == ["queue_full", "queue_full"]


def test_a_pod_on_its_way_out_says_so_with_each_answer() -> None:
    with pod() as (wire, made):
        made.readiness.phase = Phase.DRAINING
        received = wire.exchange(request(flight(), PREDICT))
        assert statuses(received) == [200]
        assert b"Connection: close\r\n" in received
        made.readiness.phase = Phase.CLOSING
        received = wire.exchange(request(flight(), PREDICT))
        assert statuses(received) == [503]
        assert b"/draining" in received
        assert [prediction.status for prediction in made.predictions] == ["ok", "shed"]


def test_what_is_too_large_or_too_slow_leaves_a_record() -> None:
    with pod(maxBodyBytes=100_000) as (wire, made):
        wire.exchange(request(b"x" * 200_000, PREDICT, b"x-request-id: r-1\r\n"))
        wire.exchange(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())
        found = [(p.status, p.error_type, p.route.request_id) for p in made.predictions]
        assert found == [("invalid", "body-too-large", "r-1"), ("invalid", "request-too-slow", None)]


def test_a_caller_that_goes_away_cancels_its_request(door: Door) -> None:
    wire, made = door
    before = len(made.predictions)
    connection = wire.connect()
    connection.sendall(request(flight("!hang"), PREDICT))
    wait_for(lambda: made.plane.admission is not None and made.plane.admission.active == 1)
    connection.close()
    wait_for(lambda: len(made.predictions) > before, 0.4)
    assert made.predictions[-1].error_type == "CallerGone"
