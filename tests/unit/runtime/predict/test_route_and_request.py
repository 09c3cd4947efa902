import json

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.predict.planes import plane

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.predict.request import parse_document, parse_request
from turnout_runtime.predict.route import Route, cohort_of, route_of, timeout_of
from turnout_runtime.workflow import Request

DIRECT = Route("echo")
GATEWAY = {
    "x-turnout-objective": "demo/flight-delay",
    "x-turnout-policy-version": "0123456789ab",
    "x-turnout-arm": "challenger",
    "x-turnout-propensity": "0.1",
    "x-turnout-entity": "user-7",
    "x-request-id": "r-1",
}


def parse(body: bytes, route: Route) -> Request:
    return parse_request(parse_document(body), route)


def test_the_gateways_headers_are_read() -> None:
    route = route_of("flight-delay", GATEWAY)
    assert route[:5] == ("flight-delay", "challenger", "0123456789ab", 0.1, "user-7")
    assert route.cohort == xxhash.xxh64_intdigest(b"demo/flight-delay:user-7") % 10_000
    assert route.request_id == "r-1"


def test_an_arm_that_answers_in_anothers_place_was_not_chosen() -> None:
    route = route_of("flight-delay", {**GATEWAY, "x-turnout-fallback-arm": "main"})
    assert (route.arm, route.propensity, route.fallback_from) == ("main", None, "challenger")
    assert route_of("flight-delay", GATEWAY).fallback_from is None


def test_a_direct_call_has_no_arm_and_no_cohort() -> None:
    assert route_of("echo", {}) == DIRECT
    assert route_of("echo", {"x-turnout-entity": "user-7"}).cohort is None


def test_the_entity_of_a_cookie_is_the_one_that_the_gateway_names() -> None:
    cookie = {"cookie": "a=1; customer=user-7", "x-turnout-objective": "demo/echo"}
    named = route_of("echo", {**cookie, "x-turnout-entity-cookie": "customer"})
    assert (named.entity, named.cohort) == ("user-7", cohort_of("demo/echo", "user-7"))
    assert route_of("echo", cookie).entity is None
    assert route_of("echo", {**cookie, "x-turnout-entity-cookie": "b"}).cohort is None


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-0.1", "1.1", "1e999"])
def test_a_propensity_that_is_no_probability_is_none(text: str) -> None:
    assert route_of("echo", {"x-turnout-propensity": text}).propensity is None


@given(st.text(max_size=50))
@settings(max_examples=30, deadline=None)
def test_every_entity_has_a_cohort(entity: str) -> None:
    assert 0 <= cohort_of("demo/x", entity.encode(errors="replace").decode()) < 10_000


def test_header_bytes_that_are_no_utf8_have_a_cohort_and_a_text() -> None:
    entity = b"\xff\xfe".decode(errors="surrogateescape")
    route = route_of("x", {"x-turnout-objective": "d/x", "x-turnout-entity": entity, "x-turnout-arm": "é"})
    assert route.cohort == xxhash.xxh64_intdigest(b"d/x:\xff\xfe") % 10_000
    assert (route.entity, route.arm) == ("\ufffd\ufffd", "é")


def test_a_whole_request() -> None:
    body = {"request_id": "r", "entity_id": "e", "feature_refs": {"a": "b"}, "context": {"x": [1]}}
    request = parse(json.dumps(body).encode(), DIRECT)
    assert (request.request_id, request.entity_id, request.feature_refs, request.context) == tuple(body.values())


def test_ids_come_from_the_gateway_where_the_body_has_none() -> None:
    request = parse(b'{"context":{},"request_id":null}', route_of("x", GATEWAY))
    assert (request.request_id, request.entity_id, request.feature_refs) == ("r-1", "user-7", {})


def test_a_request_id_is_made_where_there_is_none() -> None:
    one, two = (parse(b'{"context":{}}', DIRECT).request_id for _ in range(2))
    assert one != two
    assert len(one) == 32


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'{"context":NaN}', "the body is not JSON"),
        (b'{"context":{"a":"\xff"}}', "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"{}", "context: must be a JSON object, and is missing"),
        (b'{"context":[]}', "^context: must be a JSON object$"),
        (b'{"context":null}', "^context: must be a JSON object$"),
        (b'{"context":{},"feature_refs":[]}', "^feature_refs: must be"),
        (b'{"context":{},"entity_id":7}', "^entity_id: must be a string"),
        (b'{"context":{},"entity_id":""}', "^entity_id: must be a string"),
        (b'{"context":{},"request_id":"' + b"x" * 300 + b'"}', "^request_id: must be a string of 1 to 256"),
        (b'{"context":{},"entityId":"7"}', "^entityId: no such field; there are context, entity_id, feature_refs"),
    ],
)
def test_a_wrong_request_names_the_field(body: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        parse(body, DIRECT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["context", "entity_id", "request_id", "feature_refs", "other"])


def _outcome(body: bytes) -> Request | InvalidRequest:
    try:
        return parse(body, DIRECT)
    except InvalidRequest as error:
        return error


@given(st.dictionaries(FIELDS, JSON) | JSON)
@settings(max_examples=50, deadline=None)
def test_any_json_is_a_request_or_a_clear_refusal(document: object) -> None:
    outcome = _outcome(json.dumps(document).encode())
    if isinstance(document, dict) and isinstance(document.get("context"), dict):
        assert isinstance(outcome, InvalidRequest) or isinstance(outcome.context, dict)
    else:
        assert isinstance(outcome, InvalidRequest)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-request-timeout-ms": "250"}, 0.25),
        ({"x-request-timeout-ms": "0"}, 0.0),
        ({"grpc-timeout": "100m"}, 0.1),
        ({"grpc-timeout": "2S"}, 2.0),
        ({"grpc-timeout": "1H"}, 3600.0),
        ({"grpc-timeout": "99999999n"}, 0.099999999),
        ({"x-envoy-expected-rq-timeout-ms": "80"}, 0.08),
        ({"x-envoy-expected-rq-timeout-ms": "0"}, None),
        ({"x-request-timeout-ms": "90", "grpc-timeout": "70m", "x-envoy-expected-rq-timeout-ms": "80"}, 0.07),
        ({"x-request-timeout-ms": "60", "grpc-timeout": "70m", "x-envoy-expected-rq-timeout-ms": "80"}, 0.06),
        ({"x-request-timeout-ms": "-1", "grpc-timeout": "m", "x-envoy-expected-rq-timeout-ms": "fast"}, None),
        ({"x-request-timeout-ms": "1" * 40, "grpc-timeout": "100000000S"}, None),
        ({"x-request-timeout-ms": "1.5", "grpc-timeout": "5x"}, None),
        ({"x-request-timeout-ms": "²"}, None),
    ],
)
def test_the_least_announced_timeout_counts(headers: dict[str, str], seconds: float | None) -> None:
    assert route_of("o", headers).timeout == pytest.approx(seconds)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_any_timeout_header_is_a_time_or_nothing(caller: str, grpc: str, envoy: str) -> None:
    seconds = timeout_of(caller, grpc, envoy)
    assert seconds is None or 0.0 <= seconds < 1e12


def test_traces_and_shadows() -> None:
    traced = route_of("o", {"traceparent": "00-a-b-01", "tracestate": "x=1", "x-turnout-shadow": "true"})
    assert (traced.traceparent, traced.tracestate, traced.shadow) == ("00-a-b-01", "x=1", True)
    alone = route_of("o", {"tracestate": "x=1", "x-turnout-shadow": "1"})
    assert (alone.traceparent, alone.tracestate, alone.shadow) == (None, None, False)


@pytest.mark.parametrize("field", ["context", "feature_refs"])
async def test_what_cannot_be_logged_is_the_callers_fault(field: str) -> None:
    nested = b'{"a":' * 400 + b"1" + b"}" * 400
    document = b'{"context": {}, "feature_refs": {}}'.replace(
        b'"%s": {}' % field.encode(), b'"%s": %s' % (field.encode(), nested)
    )
    prediction = await plane([]).predict(DIRECT, document)
    assert (prediction.status, str(prediction.error).startswith(field)) == ("invalid", True)
