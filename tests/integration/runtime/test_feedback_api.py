"""What the prediction port does with feedback: kept before it is answered, all or nothing, and never a prediction."""

import errno
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from tests.integration.runtime.flights import FEEDBACK, PREDICT, Pod, pod
from tests.integration.runtime.test_serving_api import call, flight
from tests.integration.runtime.wire import LIMITS, Wire, read, request, statuses, wait_for

from turnout_runtime.serve.readiness import Phase

Door = tuple[Wire, Pod]
CLOSE = b"Connection: close\r\n"


@pytest.fixture
def door() -> Iterator[Door]:
    with pod() as made:
        yield made


def send(wire: Wire, *rows: dict[str, Any], **headers: str) -> tuple[int, dict[str, str], Any]:
    body = rows[0] if len(rows) == 1 else {"feedback": rows}
    return call(wire, "POST", FEEDBACK, json.dumps(body).encode(), **headers)


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {"prediction_id": f"p{number}", "label": number % 2, **fields}


def test_one_outcome_is_one_row(door: Door) -> None:
    wire, made = door
    status, headers, body = send(wire, row(1, reward=2, time="2026-01-31T12:00:00Z", source="claims"))
    assert (status, body, headers["x-turnout-revision"]) == (202, {"accepted": 1}, "delay-1")
    (kept,) = made.kept.rows
    assert len(kept.pop("feedback_id")) == 22
    assert kept.pop("received").endswith("Z")
    assert kept == {
        "schema_version": 1, "namespace": "demo", "objective": "delay", "prediction_id": "p1", "entity_id": None,
        "label": 1, "reward": 2.0, "time": "2026-01-31T12:00:00.000000Z", "source": "claims", "revision": "delay-1",
        "caller": None,
    }  # fmt: skip
    assert not made.predictions
    assert (made.counts.requests["accepted"], made.counts.rows) == (1, 1)


def test_many_are_one_block_and_ids_differ(door: Door) -> None:
    wire, made = door
    assert send(wire, *map(row, range(150)))[2] == {"accepted": 150}
    assert [len(block) for block in made.kept.blocks] == [150]
    assert len({kept["feedback_id"] for kept in made.kept.rows}) == 150


def test_one_wrong_row_keeps_all_out_and_is_named(door: Door) -> None:
    wire, made = door
    status, headers, body = send(wire, *map(row, range(100)), {"prediction_id": "x", "label": "y", "lable": 1}, {})
    assert (status, headers["content-type"]) == (422, "application/problem+json")
    assert body["type"].endswith("/invalid-feedback")
    assert body["detail"].startswith("feedback.100.lable: no such field")
    assert [(each["row"], each["detail"].partition(":")[0]) for each in body["rows"]] == [
        (100, "lable"), (101, "prediction_id"),
    ]  # fmt: skip
    assert not made.kept.blocks
    assert made.counts.requests["invalid"] == 1


def test_it_is_told_only_once_it_is_kept_and_what_comes_meanwhile_is_kept_together(door: Door) -> None:
    wire, made = door
    made.kept.go.clear()
    answers: list[int] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(send(wire, row(n))[0])) for n in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: made.feedback._held > 0 and sum(len(each.lines) for each in made.feedback._waiting) == 7)
    assert not answers
    made.kept.go.set()
    for thread in threads:
        thread.join()
    assert answers == [202] * 8
    assert [len(block) for block in made.kept.blocks] == [1, 7]


def test_a_disk_that_refuses_is_told_and_the_next_row_is_kept(door: Door) -> None:
    wire, made = door
    made.kept.error = OSError(errno.ENOSPC, "No space left on device")
    status, _, body = send(wire, row(1))
    assert (status, body["type"].rpartition("/")[2]) == (503, "feedback-not-kept")
    assert "No space left on device" in body["detail"]
    made.kept.error = None
    assert send(wire, row(2))[0] == 202
    assert made.counts.requests["not_kept"] == 1


def test_a_disk_that_stalls_bounds_what_waits(door: Door) -> None:
    wire, made = door
    made.kept.go.clear()
    rows = [row(number, source="x" * 200) for number in range(100)]
    waiting = [threading.Thread(target=send, args=(wire, *rows)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    wait_for(lambda: made.feedback._held > 60_000)
    status, _, body = send(wire, *rows)
    assert (status, body["detail"]) == (503, "the log's disk is behind; try again later")
    made.kept.go.set()
    for thread in waiting:
        thread.join()
    assert made.feedback._held == 0


def test_a_disk_that_hangs_does_not_hold_up_the_end(door: Door) -> None:
    wire, made = door
    made.kept.go.clear()
    thread = threading.Thread(target=send, args=(wire, row(1)))
    thread.start()
    wait_for(lambda: made.feedback._held > 0)
    assert not wire.call(made.feedback.close, 0.01)
    made.kept.go.set()
    thread.join()


def test_more_than_a_segment_holds(door: Door) -> None:
    assert send(door[0], *[row(number, source="x" * 250) for number in range(200)])[0] == 413


def test_predictions_go_on_while_feedback_waits(door: Door) -> None:
    wire, made = door
    made.kept.go.clear()
    thread = threading.Thread(target=send, args=(wire, row(1)))
    thread.start()
    wait_for(lambda: made.feedback._held > 0)
    assert call(wire, "POST", PREDICT, flight())[0] == 200
    made.kept.go.set()
    thread.join()


def test_a_caller_that_goes_away_takes_no_rows_along(door: Door) -> None:
    wire, made = door
    made.kept.go.clear()
    with wire.connect() as connection:
        connection.sendall(request(json.dumps(row(1)).encode(), FEEDBACK))
        wait_for(lambda: made.feedback._held > 0)
    made.kept.go.set()
    wait_for(lambda: bool(made.kept.rows))


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 202), ("br", 415)])
def test_bodies_may_be_compressed(door: Door, encoding: str, status: int) -> None:
    body = gzip.compress(json.dumps(row(1)).encode(), mtime=0)
    assert call(door[0], "POST", FEEDBACK, body, content_encoding=encoding)[0] == status


def test_what_is_turned_away_leaves_no_prediction(door: Door) -> None:
    wire, made = door
    assert statuses(wire.exchange(request(b"x" * 200_000, FEEDBACK, CLOSE))) == [413]
    made.readiness.phase = Phase.CLOSING
    status, headers, body = send(wire, row(1))
    assert (status, headers["connection"], body["type"].rpartition("/")[2]) == (503, "close", "draining")
    assert not made.predictions
    assert not made.kept.rows
    assert (made.counts.requests["invalid"], made.counts.requests["shed"]) == (1, 1)


def test_a_busy_pod_sheds_it() -> None:
    with pod(concurrency=1, maxQueueDepth=0, timeoutSeconds=10.0) as (wire, made), wire.connect() as connection:
        connection.sendall(request(flight("!hang"), PREDICT))
        wait_for(made.plane.overloaded)
        status, headers, body = send(wire, row(1))
        assert (status, headers["retry-after"], body["type"].rpartition("/")[2]) == (429, "1", "overloaded")


def test_a_body_may_take_longer_than_a_prediction() -> None:
    body = json.dumps(row(1)).encode()
    with pod(replace(LIMITS, body_seconds=0.05)) as (wire, _), wire.connect() as slow, wire.connect() as quick:
        slow.sendall(request(body, FEEDBACK, CLOSE)[:-5])
        quick.sendall(request(flight(), PREDICT, CLOSE)[:-5])
        assert statuses(read(quick)) == [408]
        slow.sendall(body[-5:])
        assert statuses(read(slow)) == [202]


def test_the_document_describes_it(door: Door) -> None:
    document = call(door[0], "GET", "/v1/demo/delay/openapi.json")[2]
    operation, schemas = document["paths"][FEEDBACK]["post"], document["components"]["schemas"]
    assert operation["responses"].keys() >= {"202", "400", "408", "413", "422", "429", "503"}
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    whole = {**body, "components": {"schemas": schemas}}
    for good in (row(1), {"feedback": [row(1)]}, {"entity_id": "e", "time": 5, "reward": 1.5}):
        jsonschema.validate(good, whole)
    for bad in ({"label": 1}, {"prediction_id": "p"}, {"feedback": []}, row(1, label=2), row(1, more=1)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, whole)
    item = call(door[0], "GET", "/openapi.json")[2]["paths"]["/v1/demo/{objective}/feedback"]
    assert item["parameters"][0]["name"] == "objective"
    for name, sent in [("FeedbackAccepted", row(1)), ("Problem", {"lable": 1})]:
        jsonschema.validate(send(door[0], sent)[2], {**schemas[name], "components": {"schemas": schemas}})


def test_methods(door: Door) -> None:
    status, headers, _ = call(door[0], "GET", FEEDBACK)
    assert (status, headers["allow"]) == (405, "OPTIONS, POST")
    assert call(door[0], "POST", "/feedback", b"{}")[0] == 404
