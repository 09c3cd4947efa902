"""Which policy, arm and cohort a request belongs to, as the gateway's headers say it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import xxhash

COHORTS = 10_000
_MAX_TEXT = 256  # characters of a header that are kept in a record


class Route(NamedTuple):
    """How a request came here; all but the objective is None when the pod was called without the gateway."""

    objective: str
    arm: str | None = None
    policy_version: str | None = None
    propensity: float | None = None
    entity: str | None = None
    cohort: int | None = None
    request_id: str | None = None


def route_of(objective: str, headers: Mapping[str, str]) -> Route:
    """Read the gateway's headers; what is absent or malformed becomes None."""
    entity, salt = headers.get("x-turnout-entity"), headers.get("x-turnout-objective")
    return Route(
        objective=objective,
        arm=_text(headers.get("x-turnout-arm")),
        policy_version=_text(headers.get("x-turnout-policy-version")),
        propensity=_probability(headers.get("x-turnout-propensity")),
        entity=_text(entity),
        cohort=cohort_of(salt, entity) if salt and entity else None,
        request_id=_text(headers.get("x-request-id")),
    )


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
