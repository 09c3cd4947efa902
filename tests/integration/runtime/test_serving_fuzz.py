"""Whatever comes, the port answers or closes: never a 500 for what a caller did, never a traceback, never a hang."""

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection
from tests.integration.runtime.flights import PREDICT, Pod, pod
from tests.integration.runtime.wire import LIMITS, Wire, read, request, statuses

FAST = replace(LIMITS, head_seconds=0.3, body_seconds=0.3, linger_seconds=0.3)
PATIENCE = 4.0
fuzzed = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def door() -> Iterator[tuple[Wire, Pod]]:
    with pod(FAST, timeoutSeconds=0.3) as made:
        yield made


def _survives(wire: Wire, sent: bytes) -> list[int]:
    """Send, end the sending half, and read to the end: it must come soon, and with nothing internal."""
    started = time.monotonic()
    received = b""
    with wire.connect() as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            received = read(connection)
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert time.monotonic() - started < PATIENCE
    assert b"Traceback" not in received
    assert b"s3cret" not in received
    found = statuses(received)
    assert all(status < 500 for status in found), received[:500]
    return found


HEADERS = [
    b"Content-Length: 2\r\n", b"Content-Length: 20\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n",
    b"Accept: text/event-stream\r\n", b"x-request-timeout-ms: 5\r\n", b"x-request-timeout-ms: -1\r\n",
    b"grpc-timeout: 9S\r\n", b"x-turnout-entity: \xff\xfe\r\n", b"x-turnout-objective: a/b\r\n",
    b"x-turnout-propensity: nan\r\n", b"traceparent: 00-0-0-0\r\n", b"x-request-id: \x80\r\n", b"Host: x\r\n",
    b"Inference-Header-Content-Length: 5\r\n", b"Inference-Header-Content-Length: 99\r\n",
]  # fmt: skip
INFER = b"/v2/models/delay-model/infer"
TARGETS = [
    PREDICT.encode(),
    b"/",
    b"*",
    b"/v2",
    b"/v2/models/delay-model/infer",
    b"/openapi.json",
    b"http://x" + PREDICT.encode(),
]
pieces = st.one_of(
    st.sampled_from([b"POST ", b"GET ", b"HEAD ", b"OPTIONS ", b"FOO ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n"]),
    st.sampled_from(TARGETS),
    st.sampled_from(HEADERS),
    st.sampled_from(
        [b"\r\n\r\n", b'{"context":{}}', b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"0\r\n\r\n", b"ffffffffffffffff1\r\n"]
    ),
    st.binary(max_size=20),
)


@given(st.binary(max_size=2000))
@fuzzed
def test_any_bytes(door: tuple[Wire, Pod], sent: bytes) -> None:
    _survives(door[0], sent)


@given(st.lists(pieces, max_size=12).map(b"".join))
@fuzzed
def test_bytes_that_look_like_requests(door: tuple[Wire, Pod], sent: bytes) -> None:
    _survives(door[0], sent)


@given(
    st.sampled_from([b"POST", b"GET", b"PUT", b"OPTIONS", b"HEAD", b"TRACE"]),
    st.sampled_from(TARGETS),
    st.lists(st.sampled_from(HEADERS), max_size=4),
    st.one_of(st.sampled_from([b"", b"{}", b'{"context":{"carrier":"UA","minutes":1}}']), st.binary(max_size=100)),
)
@fuzzed
def test_whole_requests(
    door: tuple[Wire, Pod], method: bytes, target: bytes, headers: list[bytes], body: bytes
) -> None:
    head = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + b"".join(headers)
    assert _survives(door[0], head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _nested(depth: int) -> bytes:
    return b'{"context":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def _predicted(door: tuple[Wire, Pod], body: bytes, target: str = PREDICT) -> None:
    close = b"Connection: close\r\n"
    found = _survives(door[0], request(body, target, close))
    assert [status for status in found if status != 100 and status not in (200, 400, 404, 413, 422)] == [], body
    assert found, body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
contexts = st.fixed_dictionaries(
    {},
    optional={"carrier": json_values, "minutes": json_values | st.integers(0, 1000), "distance": json_values},
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "context": contexts | json_values,
        "request_id": json_values,
        "entity_id": json_values,
        "feature_refs": json_values,
        "features": json_values,
    },
)


@given(st.one_of(requests, json_values).map(lambda value: json.dumps(value).encode()))
@example(_nested(200))
@example(_nested(300))
@example(_nested(5000))
@example(b'{"context":{"carrier":"\\ud800","minutes":1}}')
@example(b'{"context":{"carrier":"a","minutes":1e400}}')
@example(b'{"context":{"carrier":"a","minutes":' + b"9" * 5000 + b"}}")
@example(b'{"context":{"carrier":"a","minutes":NaN}}')
@example(b"\xef\xbb\xbf{}")
@fuzzed
def test_any_json_is_an_answer_or_the_callers_mistake(door: tuple[Wire, Pod], body: bytes) -> None:
    _predicted(door, body)


tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["request", "features", "carrier", "minutes", "entity_id", "feature_refs"])
        | json_values,
        "datatype": st.sampled_from(["BYTES", "FP32", "FP64", "INT64", "UINT8", "BOOL", "FP16", "BF16"]) | json_values,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | json_values,
        "data": st.lists(json_values | st.sampled_from(['{"context":{}}', "UA", 5]), max_size=4) | json_values,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 9) | json_values})
        | json_values,
    },
)
calls = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "inputs": st.lists(tensors | json_values, max_size=3) | json_values,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["score", "x"]) | json_values}), max_size=2),
        "parameters": json_values,
    },
)


@given(st.one_of(calls, json_values).map(lambda value: json.dumps(value).encode()))
@example(b'{"inputs":[{"name":"request","datatype":[]}]}')
@fuzzed
def test_any_inference_call_is_an_answer_or_the_callers_mistake(door: tuple[Wire, Pod], body: bytes) -> None:
    _predicted(door, body, INFER.decode())


def test_the_document_is_kept(door: tuple[Wire, Pod]) -> None:
    """Schemathesis asks what the port's own OpenAPI document allows and forbids, and checks the answers against it."""
    wire, _ = door
    answer = wire.exchange(b"GET /v1/demo/delay/openapi.json HTTP/1.0\r\n\r\n")
    document = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    schema = schemathesis.openapi.from_dict(document)
    operation = schema[PREDICT]["POST"]
    statuses_seen: set[int] = set()

    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    @settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck), derandomize=True)
    def check(case: Any) -> None:
        response = case.call(base_url=wire.url)
        statuses_seen.add(response.status_code)
        if response.status_code == 504 and "x-request-timeout-ms" in (case.headers or {}):
            return  # a caller may leave a millisecond, which a busy machine does not answer in
        case.validate_response(response, excluded_checks=[negative_data_rejection])  # pydantic takes "5" for 5
        assert not re.search("Traceback|s3cret", response.text)

    check()
    assert {200, 400} <= statuses_seen
