"""The prediction record: one JSON line that lets a prediction be reconstructed. Pure."""

from dataclasses import dataclass
from typing import Any

import orjson

from turnout_runtime.facts import Fact
from turnout_runtime.plain import plain
from turnout_runtime.predict.ids import rfc3339
from turnout_runtime.predict.prediction import STAGES, Prediction

SCHEMA_VERSION = 2
_NOTHING: dict[str, Any] = {}
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
_json = orjson.Fragment
_NOT_REACHED: dict[str, float | None] = dict.fromkeys(STAGES)


@dataclass(frozen=True, slots=True)
class Identity:
    """What all records of a pod have in common."""

    namespace: str
    model_deployment: str
    revision: str
    bundle_digest: str


def encode(identity: Identity, prediction: Prediction) -> bytes:
    """The record as a JSON line. NaN features become null; stages that were not reached are null."""
    document = _document(identity, prediction)
    try:
        return orjson.dumps(document, default=str, option=_OPTIONS)
    except (TypeError, RecursionError):  # what a source or a workflow made up must not cost the record
        return orjson.dumps(plain(document), option=_OPTIONS)


def _document(identity: Identity, prediction: Prediction) -> dict[str, Any]:
    route, request, decision = prediction.route, prediction.request, prediction.decision
    return {
        "schema_version": SCHEMA_VERSION,
        "prediction_id": prediction.prediction_id,
        "request_id": request.request_id if request else route.request_id,
        "time": rfc3339(prediction.time_ns),
        "namespace": identity.namespace,
        "objective": route.objective,
        "model_deployment": identity.model_deployment,
        "revision": identity.revision,
        "bundle_digest": identity.bundle_digest,
        "policy_version": route.policy_version,
        "arm": route.arm,
        "cohort": route.cohort,
        "propensity": route.propensity,
        "shadow": route.shadow,
        "entity_id": request.entity_id if request else route.entity,
        "feature_refs": _json(prediction.refs_json) if prediction.refs_json else _NOTHING if request else None,
        "context": _json(prediction.context_json) if prediction.context_json else None,
        "facts": {name: _fact(fact) for name, fact in prediction.facts.items()} if prediction.facts else _NOTHING,
        "features": prediction.features,
        "passes": prediction.passes,
        "batch_size": prediction.batch_size,
        "score": decision.score if decision else None,
        "decision": decision.decision if decision else None,
        "confidence": decision.confidence if decision else None,
        "explanations_ref": decision.explanations_ref if decision else None,
        "details": prediction.details if decision and decision.details is not None else None,
        "fallback_used": prediction.fallback is not None,
        "fallback": prediction.fallback,
        "fallback_reason": prediction.fallback_reason,
        "cache": _cache(prediction) if prediction.cache else None,
        "exceeded": prediction.exceeded,
        "stages_ms": _milliseconds(prediction),
        "status": prediction.status,
        "error_type": prediction.error_type,
    }


def _fact(fact: Fact) -> dict[str, Any]:
    fields = {
        "value": fact.value,
        "source": fact.source,
        "latency_ms": fact.latency_ms,
        "age_ms": fact.age_ms,
    }
    return fields if fact.reason is None else {**fields, "reason": fact.reason}


def _cache(prediction: Prediction) -> dict[str, Any]:
    age = prediction.cache_age
    return {"status": prediction.cache, "age_ms": None if age is None else int(age * 1e6) / 1e3}


def _milliseconds(prediction: Prediction) -> dict[str, float | None]:
    """Stages in milliseconds, cut off at whole microseconds."""
    stages = dict(_NOT_REACHED)
    for stage, seconds in prediction.stages.items():
        stages[stage] = int(seconds * 1e6) / 1e3
    stages["total"] = int(prediction.total * 1e6) / 1e3
    return stages
