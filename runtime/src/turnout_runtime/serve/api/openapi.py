"""The OpenAPI document of a pod, made from its workflow's own models. Pure."""

from typing import Any

import orjson

from turnout_runtime.errors import InvalidRequest, Overloaded, RequestError, RequestIdReused, RequestTimeout
from turnout_runtime.serve.api import openapi_feedback
from turnout_runtime.serve.api.replies import RETRY_AFTER_SECONDS
from turnout_runtime.serve.problems import BASE, refusals
from turnout_runtime.serve.served import Served
from turnout_runtime.workflow import Workflow
from turnout_runtime.workflow.schema import decision_schema, request_schema

_Schema = dict[str, Any]
_ERRORS = (*refusals(RequestIdReused), RequestTimeout)
_REF = "#/components/schemas/{model}"
_MAX_DOCUMENTS = 64
_OBJECTIVE = {
    "name": "objective",
    "in": "path",
    "required": True,
    "description": "The objective that asks; the gateway routes by it",
    "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"},
}
_HEADERS = (
    ("x-request-id", "Names the request where its body does not; 256 characters of it count", {"type": "string"}),
    (
        "x-request-timeout-ms",
        "Milliseconds after which the caller has no use for an answer",
        {"type": "integer", "minimum": 1},
    ),
    ("traceparent", "W3C Trace Context", {"type": "string"}),
)


class OpenApi:
    """Documents by objective, made when they are first asked for."""

    def __init__(self, workflow: Workflow, served: Served, *, feedback: bool) -> None:
        """`feedback`: whether it is taken."""
        self._workflow, self._served, self._feedback = workflow, served, feedback
        self._documents: dict[str | None, bytes] = {}

    def document(self, objective: str | None) -> bytes:
        """OpenAPI 3.1 as JSON; without an objective it is a parameter of the path."""
        known = self._documents.get(objective)
        if known is None:
            known = orjson.dumps(openapi(self._workflow, self._served, objective, feedback=self._feedback))
            if len(self._documents) < _MAX_DOCUMENTS:
                self._documents[objective] = known
        return known


def openapi(workflow: Workflow, served: Served, objective: str | None, *, feedback: bool = False) -> _Schema:
    """The document as JSON holds it."""
    request, answer = request_schema(workflow, _REF), decision_schema(workflow, _REF)
    schemas = {**request.pop("$defs", {}), **answer.pop("$defs", {})}
    schemas |= {"PredictionRequest": request, "PredictionAnswer": answer, "Problem": _PROBLEM}
    paths: _Schema = {"predict": {"post": _predict(served)}}
    if feedback:
        schemas |= openapi_feedback.SCHEMAS
        failures = _failures(openapi_feedback.ERRORS)
        paths["feedback"] = {"post": openapi_feedback.operation(served.max_body, _REVISION, failures)}
    if objective is None:
        for item in paths.values():
            item["parameters"] = [_OBJECTIVE]
    base = f"/v1/{served.namespace}/{objective or '{objective}'}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": served.model_deployment,
            "version": served.revision,
            "description": (type(workflow).__doc__ or "").strip() or "Predictions",
        },
        "paths": {f"{base}/{name}": item for name, item in paths.items()},
        "components": {"schemas": schemas},
    }


def _predict(served: Served) -> _Schema:
    answer = {"$ref": "#/components/schemas/PredictionAnswer"}
    content = {
        "application/json": {"schema": answer},
        "text/event-stream": {"schema": {"type": "string", "description": "Events chunk, then decision or problem"}},
    }
    return {
        "operationId": "predict",
        "summary": "Ask for one prediction",
        "parameters": [
            {"name": name, "in": "header", "required": False, "description": text, "schema": schema}
            for name, text, schema in _HEADERS
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {served.max_body} bytes; gzip and deflate are unpacked",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PredictionRequest"}}},
        },
        "responses": {
            "200": {"description": "The decision", "headers": _REVISION, "content": content},
            **_failures(_ERRORS),
        },
    }


def _failures(errors: tuple[type[RequestError], ...]) -> _Schema:
    return {str(error.http_status): _failure(error) for error in errors}


def _failure(error: type[RequestError]) -> _Schema:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"status": {"const": error.http_status}},
    }
    headers = dict(_REVISION)
    if error is Overloaded:
        text = "Seconds after which to try again"
        headers["Retry-After"] = {"description": text, "schema": {"const": RETRY_AFTER_SECONDS}}
    content = {"application/problem+json": {"schema": schema}}
    return {"description": error.title, "headers": headers, "content": content}


_REVISION: _Schema = {"x-turnout-revision": {"description": "What answered", "schema": {"type": "string"}}}
_PROBLEM: _Schema = {
    "title": "Problem",
    "description": "RFC 9457",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [BASE + InvalidRequest.slug]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "prediction_id": {"type": "string"},
        "request_id": {"type": "string"},
        "rows": {
            "description": "Rows of feedback that are wrong, counted from 0",
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"row": {"type": "integer"}, "detail": {"type": "string"}},
                "required": ["row", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}
