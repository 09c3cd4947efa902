"""Parses a prediction request by hand: this runs for every request, and its errors are read by callers. Pure."""

import os
from typing import Any

import orjson

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Request

MAX_BODY = 1024**2
_FIELDS = frozenset({"request_id", "entity_id", "feature_refs", "context"})
_MAX_ID = 256


def parse_request(body: bytes, route: Route) -> Request:
    """The request in a JSON body; raises `InvalidRequest` that names the field.

    Without a `request_id` it takes the gateway's (`x-request-id`), else a new one; without an `entity_id` the one
    that the gateway routed by.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest("the body is not a JSON object")
    if not document.keys() <= _FIELDS:
        unknown = min(document.keys() - _FIELDS)
        raise InvalidRequest(f"{unknown[:64]}: no such field; there are {', '.join(sorted(_FIELDS))}")
    return Request(
        request_id=_identifier(document, "request_id") or route.request_id or os.urandom(16).hex(),
        entity_id=_identifier(document, "entity_id") or route.entity,
        feature_refs=_object(document, "feature_refs", required=False),
        context=_object(document, "context", required=True),
    )


def _identifier(document: dict[str, Any], field: str) -> str | None:
    value = document.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID:
        raise InvalidRequest(f"{field}: must be a string of 1 to {_MAX_ID} characters")
    return value


def _object(document: dict[str, Any], field: str, *, required: bool) -> dict[str, Any]:
    value = document.get(field)
    if value is None and not required:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"{field}: must be a JSON object" + ("" if field in document else ", and is missing"))
    return value
