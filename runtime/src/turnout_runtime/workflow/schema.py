"""JSON Schemas (2020-12) of what a workflow is asked and what it answers."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, JsonSchemaMode

from turnout_runtime.workflow.base import Workflow

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_Schema = dict[str, Any]
_ID: _Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 256}


def request_schema(workflow: Workflow, ref_template: str = DEFAULT_REF_TEMPLATE) -> _Schema:
    """Schema of a prediction request's whole body; the workflow's own model is its `context`.

    Models that the context uses are in `$defs`, under the names that `ref_template` refers to.
    """
    context, definitions = _model(workflow.context_model, "validation", ref_template)
    properties = {
        "request_id": {**_ID, "description": "Repeats with the same id and body get the first answer, if so declared"},
        "entity_id": {**_ID, "description": "Whom or what the question is about; the gateway routes by it"},
        "feature_refs": {"type": ["object", "null"], "description": "Facts that the caller has, by name"},
        "context": context,
    }
    return _object("PredictionRequest", properties, ["context"], definitions, closed=True)


def decision_schema(workflow: Workflow, ref_template: str = DEFAULT_REF_TEMPLATE) -> _Schema:
    """Schema of the whole answer; the workflow's own model is its `details`."""
    details, definitions = _model(workflow.details_model, "serialization", ref_template)
    decision: _Schema = {"type": "string"}
    if workflow.decisions:
        decision["enum"] = list(workflow.decisions)
    properties = {
        "prediction_id": {"type": "string"},
        "request_id": {"type": "string"},
        "model_version": {"type": "string"},
        "policy_version": {"type": ["string", "null"]},
        "score": {"type": "number"},
        "decision": decision,
        "confidence": {"type": "number"},
        "explanations_ref": {"type": ["string", "null"]},
        "fallback_used": {"type": "boolean"},
        "fallback": {"type": ["string", "null"]},
    }
    required = list(properties)
    if workflow.details_model is not None:
        properties["details"] = {"anyOf": [details, {"type": "null"}]}
    return _object("PredictionAnswer", properties, required, definitions, closed=False)


def _model(model: type[BaseModel] | None, mode: JsonSchemaMode, ref_template: str) -> tuple[_Schema, _Schema]:
    """The model's own schema, and those of the models that it uses."""
    if model is None:
        return {"type": "object"}, {}
    schema = model.model_json_schema(ref_template=ref_template, mode=mode)
    return schema, schema.pop("$defs", {})


def _object(title: str, properties: _Schema, required: list[str], definitions: _Schema, *, closed: bool) -> _Schema:
    schema = {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
        **({"additionalProperties": False} if closed else {}),
    }
    return {**schema, "$defs": definitions} if definitions else schema
