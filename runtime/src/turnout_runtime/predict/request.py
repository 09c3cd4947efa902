"""Parses a prediction request by hand: this runs for every request, and its errors are read by callers. Pure."""

import os
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.predict.route import Route
from turnout_runtime.text import encodable
from turnout_runtime.validation import describe
from turnout_runtime.workflow import Request

_FIELDS = frozenset({"request_id", "entity_id", "feature_refs", "context"})
_INTERNAL = _FIELDS | {"features"}
_MAX_ID = 256

Document = Mapping[str, Any]


def parse_document(body: bytes | Document) -> Document:
    """The JSON object of a body, its field names checked; raises `InvalidRequest`.

    Only a document that a door has put together itself may have precomputed `features`.
    """
    fields = _FIELDS
    if type(body) is not bytes and isinstance(body, Mapping):
        document, fields = body, _INTERNAL
    else:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"the body is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise InvalidRequest("the body is not a JSON object")
    if not document.keys() <= fields:
        unknown = min(map(str, document.keys() - fields))
        raise InvalidRequest(f"{unknown[:64]}: no such field; there are {', '.join(sorted(_FIELDS))}")
    return document


def parse_request(document: Document, route: Route) -> Request:
    """The request in a document; raises `InvalidRequest` that names the field.

    Without a `request_id` it takes the gateway's (`x-request-id`), else a new one; without an `entity_id` the one
    that the gateway routed by.
    """
    features = document.get("features")
    return Request(
        _identifier(document, "request_id") or route.request_id or os.urandom(16).hex(),
        _identifier(document, "entity_id") or route.entity,
        _object(document, "feature_refs", required=False),
        _object(document, "context", required=features is None),
        None if features is None else _row(features),
    )


def parse_context(model: type[BaseModel], context: bytes) -> BaseModel:
    """The context (JSON) as the workflow's own model; raises `InvalidRequest` that names the field."""
    try:
        typed: BaseModel = model.__pydantic_validator__.validate_json(context)  # without the calls around it
        return typed
    except ValidationError as error:
        raise InvalidRequest(describe(error, "context")) from None


def _identifier(document: Document, field: str) -> str | None:
    value = document.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID:
        raise InvalidRequest(f"{field}: must be a string of 1 to {_MAX_ID} characters")
    if not encodable(value):
        raise InvalidRequest(f"{field}: has lone surrogates, which are no characters")
    return value


def _object(document: Document, field: str, *, required: bool) -> Mapping[str, Any]:
    value = document.get(field)
    if value is None and not required:
        return {}
    if type(value) is not dict and not isinstance(value, Mapping):  # the abstract check alone is a slow one
        raise InvalidRequest(f"{field}: must be a JSON object" + ("" if field in document else ", and is missing"))
    return value


def _row(features: Any) -> list[float]:
    try:
        return [float(value) for value in features]
    except (TypeError, ValueError, OverflowError):
        raise InvalidRequest("features: must be a list of numbers") from None
