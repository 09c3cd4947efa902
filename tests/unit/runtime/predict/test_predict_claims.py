import base64
import json
from typing import Any

import pytest

from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.claims import claims_of
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import route_of


def _header(claims: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def test_claims_are_texts_by_name() -> None:
    claims = {"sub": "u-1", "level": 3, "admin": True, "groups": ["a"], "ü": "é"}
    expected = {"sub": "u-1", "level": "3", "admin": "true", "groups": '["a"]', "ü": "é"}
    assert claims_of(_header(claims)) == expected


@pytest.mark.parametrize("header", [None, "", "%%%", "e30=x", _header([1]), _header("x"), "A" * 9000, "\udcff"])
def test_what_is_no_object_of_claims_is_none(header: str | None) -> None:
    assert claims_of(header) is None


def test_a_record_has_the_caller_the_trace_and_of_the_headers_only_those_that_are_allowed() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"x-turnout-caller": _header({"sub": "u-1"}), "traceparent": f"00-{trace}-b7ad6b7169203331-01",
               "x-region": "eu", "authorization": "Bearer secret", "x-long": "y" * 999}  # fmt: skip
    route = route_of("late", headers, ("x-region", "x-long", "x-absent"))
    assert "secret" not in repr(route)
    record = json.loads(Encoder(Identity("n", "m", "m-1", "sha256:a"))(Prediction(route, "p", 10**18, 0.0)))
    assert (record["caller"], record["trace_id"]) == ({"sub": "u-1"}, trace)
    assert record["headers"] == {"x-region": "eu", "x-long": "y" * 256}


@pytest.mark.parametrize("trace", ["x", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'a' * 32}", None])
def test_a_trace_that_is_none_has_no_id(trace: str | None) -> None:
    route = route_of("late", {} if trace is None else {"traceparent": trace})
    assert b'"trace_id":null' in Encoder(Identity("n", "m", "m-1", "sha256:a"))(Prediction(route, "p", 10**18, 0.0))
