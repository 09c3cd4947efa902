"""Errors as callers see them: application/problem+json (RFC 9457), never a traceback."""

from collections.abc import Mapping

import orjson

from turnout_runtime.errors import RequestError

CONTENT_TYPE = "application/problem+json"
_BASE = "https://turnout.dev/problems/"


def problem(error: BaseException, members: Mapping[str, str | None]) -> tuple[int, bytes]:
    """HTTP status and body for an error. What is no `RequestError` is the workflow's, and stays inside.

    `members` are added to the body (request and prediction id), None left out.
    """
    shown = error if isinstance(error, RequestError) else RequestError("the log of the pod has the details")
    body = {
        "type": _BASE + shown.slug,
        "title": shown.title,
        "status": shown.http_status,
        "detail": str(shown),
        **{name: value for name, value in members.items() if value is not None},
    }
    return shown.http_status, orjson.dumps(body)
