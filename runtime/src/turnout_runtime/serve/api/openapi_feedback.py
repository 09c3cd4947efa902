"""The feedback endpoint's part of the OpenAPI document. Pure."""

from typing import Any

from turnout_runtime.errors import InvalidFeedback
from turnout_runtime.feedback.parse import MAX_ROWS, MAX_TEXT
from turnout_runtime.serve.problems import refusals

_Schema = dict[str, Any]
ERRORS = refusals(InvalidFeedback)
"""What it may be refused with, one a status; 503 is `draining` or `feedback-not-kept`."""


def _text(description: str) -> _Schema:
    kind = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    return {"anyOf": [kind, {"type": "null"}], "description": description}


_LABEL: _Schema = {
    "anyOf": [
        {"type": "number", "enum": [0, 1]},
        {"type": "boolean"},
        {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        {"type": "null"},
    ],
    "description": "What came of it",
}
_TIME: _Schema = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}, {"type": "null"}],
    "description": "When that became known, RFC 3339 or seconds since 1970; default: when it is received",
}
_ROW: _Schema = {
    "title": "Feedback",
    "description": "What came of one prediction",
    "type": "object",
    "properties": {
        "prediction_id": _text("Of the answer"),
        "entity_id": _text("With time: it is about the newest answer for the entity before that"),
        "label": _LABEL,
        "reward": {"type": ["number", "null"], "description": "In the caller's own unit"},
        "time": _TIME,
        "source": _text("Who says so"),
    },
    "additionalProperties": False,
    "allOf": [
        {"anyOf": [{"required": ["prediction_id"]}, {"required": ["entity_id", "time"]}]},
        {"anyOf": [{"required": ["label"]}, {"required": ["reward"]}]},
    ],
}
_REF = {"$ref": "#/components/schemas/Feedback"}
_ROWS: _Schema = {
    "title": "FeedbackRows",
    "type": "object",
    "properties": {"feedback": {"type": "array", "items": _REF, "minItems": 1, "maxItems": MAX_ROWS}},
    "required": ["feedback"],
    "additionalProperties": False,
}
_ACCEPTED: _Schema = {
    "title": "FeedbackAccepted",
    "type": "object",
    "properties": {"accepted": {"type": "integer", "minimum": 1}},
    "required": ["accepted"],
}
SCHEMAS = {"Feedback": _ROW, "FeedbackRows": _ROWS, "FeedbackAccepted": _ACCEPTED}


def operation(max_body: int, headers: _Schema, failures: dict[str, _Schema]) -> _Schema:
    """POST …/feedback; `headers` are those of every answer."""
    either = {"oneOf": [_REF, {"$ref": "#/components/schemas/FeedbackRows"}]}
    accepted = {"schema": {"$ref": "#/components/schemas/FeedbackAccepted"}}
    return {
        "operationId": "feedback",
        "summary": "Say what came of predictions",
        "requestBody": {
            "required": True,
            "description": f"At most {max_body} bytes; gzip and deflate are unpacked",
            "content": {"application/json": {"schema": either}},
        },
        "responses": {
            "202": {"description": "All rows are kept", "headers": headers, "content": {"application/json": accepted}},
            **failures,
        },
    }
