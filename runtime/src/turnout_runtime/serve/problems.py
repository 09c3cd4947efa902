"""Errors as callers see them: application/problem+json (RFC 9457), never a traceback."""

from collections.abc import Mapping
from typing import Any

import orjson

from turnout_runtime.errors import (
    BodyTooLarge,
    Draining,
    HeadTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
    RequestTooSlow,
    UnsupportedEncoding,
)

CONTENT_TYPE = "application/problem+json"
BASE = "https://turnout.dev/problems/"


def refusals(unprocessable: type[RequestError]) -> tuple[type[RequestError], ...]:
    """What a request with a JSON body may be refused with, one a status; `unprocessable` is the endpoint's own 422."""
    return (
        InvalidRequest,
        NotFound,
        MethodNotAllowed,
        RequestTooSlow,
        BodyTooLarge,
        UnsupportedEncoding,
        unprocessable,
        Overloaded,
        HeadTooLarge,
        RequestError,
        Draining,
    )


def shown(error: BaseException) -> RequestError:
    """What a caller may see of an error. What is no `RequestError` is the workflow's, and stays inside."""
    return error if isinstance(error, RequestError) else RequestError("the log of the pod has the details")


def document(error: BaseException, members: Mapping[str, Any]) -> dict[str, Any]:
    """The problem as JSON holds it; `members` are added (request and prediction id, …), None left out."""
    told = shown(error)
    return {
        "type": BASE + told.slug,
        "title": told.title,
        "status": told.http_status,
        "detail": str(told),
        **{name: value for name, value in members.items() if value is not None},
    }


def problem(error: BaseException, members: Mapping[str, Any]) -> tuple[int, bytes]:
    """HTTP status and body for an error."""
    return shown(error).http_status, orjson.dumps(document(error, members))
