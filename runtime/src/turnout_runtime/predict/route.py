"""Which policy, arm and cohort a request belongs to, and how long it may take, as its headers say it. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import xxhash

from turnout_runtime.predict.claims import HEADER as CALLER
from turnout_runtime.predict.claims import claims_of
from turnout_runtime.predict.cookies import entity_in

COHORTS = 10_000
_NONE: Mapping[str, str] = {}
_MAX_TEXT = 256  # characters of a header that are kept in a record
_GRPC_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


class Route(NamedTuple):
    """How a request came here; all but the objective is None when the pod was called without the gateway.

    `timeout` is in seconds. `shadow` marks a copy whose answer nobody waits for. `caller` has the claims that the
    gateway checked, `headers` those that are to be logged. `fallback_from` is the arm that was chosen and can't answer,
    where `arm` answers in its place: that is no choice, so it has no propensity.
    """

    objective: str
    arm: str | None = None
    policy_version: str | None = None
    propensity: float | None = None
    entity: str | None = None
    cohort: int | None = None
    request_id: str | None = None
    timeout: float | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    shadow: bool = False
    caller: Mapping[str, str] | None = None
    headers: Mapping[str, str] = _NONE
    fallback_from: str | None = None


def route_of(objective: str, headers: Mapping[str, str], logged: Sequence[str] = ()) -> Route:
    """Read the headers; what is absent or malformed becomes None. `logged` names those to log, in lower case."""
    get = headers.get
    entity, salt, traceparent = get("x-turnout-entity"), get("x-turnout-objective"), get("traceparent")
    if entity is None and (name := get("x-turnout-entity-cookie")) is not None:
        entity = entity_in(get("cookie", ""), name)
    arm, propensity, fallback_from = _text(get("x-turnout-arm")), _probability(get("x-turnout-propensity")), None
    if (instead := get("x-turnout-fallback-arm")) is not None:
        arm, propensity, fallback_from = _text(instead), None, arm
    return Route(
        objective,
        arm,
        _text(get("x-turnout-policy-version")),
        propensity,
        _text(entity),
        cohort_of(salt, entity) if salt and entity else None,
        _text(get("x-request-id")),
        timeout_of(get("x-request-timeout-ms"), get("grpc-timeout"), get("x-envoy-expected-rq-timeout-ms")),
        traceparent,
        get("tracestate") if traceparent is not None else None,
        get("x-turnout-shadow") == "true",
        claims_of(get(CALLER)),
        {name: text for name in logged if (text := _text(get(name))) is not None} if logged else _NONE,
        fallback_from,
    )


def timeout_of(caller_ms: str | None, grpc: str | None, envoy_ms: str | None) -> float | None:
    """The least of the timeouts that callers and gateways announce, in seconds; Envoy's 0 means none."""
    least = None if caller_ms is None else _milliseconds(caller_ms)
    if grpc is not None and (given := _grpc_timeout(grpc)) is not None:
        least = given if least is None else min(least, given)
    if envoy_ms is not None and (given := _milliseconds(envoy_ms)):
        least = given if least is None else min(least, given)
    return least


def _milliseconds(text: str) -> float | None:
    return int(text) / 1000 if len(text) < 12 and text.isascii() and text.isdigit() else None


def _grpc_timeout(text: str) -> float | None:
    """`100m` and the like: up to 8 digits and a unit (gRPC over HTTP/2)."""
    digits, unit = text[:-1], _GRPC_UNITS.get(text[-1:])
    return int(digits) * unit if unit and len(digits) <= 8 and digits.isascii() and digits.isdigit() else None


def _text(header: str | None) -> str | None:
    """The header as text that JSON can hold: bytes that are no UTF-8 become U+FFFD."""
    if header is None:
        return None
    text = header[:_MAX_TEXT]
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="replace")


def cohort_of(objective: str, entity: str) -> int:
    """The gateway's own hash bucket (0..9999) of an entity under an objective `<namespace>/<objective>`."""
    return xxhash.xxh64_intdigest(f"{objective}:{entity}".encode(errors="surrogateescape")) % COHORTS


def _probability(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0.0 <= value <= 1.0 else None
