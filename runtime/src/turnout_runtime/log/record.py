"""The prediction record: one JSON line that lets a prediction be reconstructed. Pure."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from turnout_runtime.facts import Fact
from turnout_runtime.log.privacy import Privacy
from turnout_runtime.log.sampling import ordinary
from turnout_runtime.plain import plain
from turnout_runtime.predict.ids import rfc3339
from turnout_runtime.predict.prediction import STAGES, Prediction

SCHEMA_VERSION = 3
_NOTHING: dict[str, Any] = {}
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
_json = orjson.Fragment
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)")
_NOT_REACHED: dict[str, float | None] = dict.fromkeys(STAGES)


@dataclass(frozen=True, slots=True)
class Identity:
    """What all records of a pod have in common."""

    namespace: str
    model_deployment: str
    revision: str
    bundle_digest: str


class Encoder:
    """Writes the records of one pod.

    They are copies of a blank one that has every name in its place and what most records have in common: filling in
    the rest takes half the time of putting together a dictionary of this size.
    """

    def __init__(self, identity: Identity, privacy: Privacy | None = None, sample: float = 1.0) -> None:
        """`sample` is the share of ordinary predictions that leave a record."""
        self._privacy, self._sample = privacy, sample
        self._blank: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "prediction_id": None,
            "request_id": None,
            "time": None,
            "namespace": identity.namespace,
            "objective": None,
            "model_deployment": identity.model_deployment,
            "revision": identity.revision,
            "bundle_digest": identity.bundle_digest,
            **dict.fromkeys(("policy_version", "arm", "cohort", "propensity", "shadow", "entity_id", "caller")),
            "headers": {},
            **dict.fromkeys(("trace_id", "feature_refs", "context")),
            "facts": {},
            "features": None,
            "passes": 0,
            **dict.fromkeys(("batch_size", "score", "decision", "confidence", "explanations_ref", "details")),
            "fallback_used": False,
            **dict.fromkeys(("fallback", "fallback_reason", "cache")),
            "exceeded": (),
            "stages_ms": None,
            "status": "ok",
            "error_type": None,
            "sample_rate": 1.0,
        }

    def __call__(self, prediction: Prediction) -> bytes:
        """The record as a JSON line. NaN features become null; stages that were not reached are null."""
        record = self._blank.copy()
        _came(record, prediction)
        _went(record, prediction)
        if self._sample < 1.0 and ordinary(prediction):
            record["sample_rate"] = self._sample
        if self._privacy is not None:
            self._privacy(record)
        try:
            return orjson.dumps(record, default=str, option=_OPTIONS)
        except (TypeError, RecursionError):  # what a source or a workflow made up must not cost the record
            return orjson.dumps(plain(record), option=_OPTIONS)


def _came(record: dict[str, Any], prediction: Prediction) -> None:
    """What was asked, and by which way."""
    route, request = prediction.route, prediction.request
    record["prediction_id"] = prediction.prediction_id
    record["time"] = rfc3339(prediction.time_ns)
    record["objective"] = route.objective
    record["policy_version"] = route.policy_version
    record["arm"] = route.arm
    record["cohort"] = route.cohort
    record["propensity"] = route.propensity
    record["shadow"] = route.shadow
    record["caller"] = route.caller
    record["headers"] = route.headers
    if route.traceparent is not None:
        record["trace_id"] = _trace_id(route.traceparent)
    if request is None:
        record["request_id"], record["entity_id"] = route.request_id, route.entity
        return
    record["request_id"], record["entity_id"] = request.request_id, request.entity_id
    record["feature_refs"] = _json(prediction.refs_json) if prediction.refs_json else _NOTHING
    if prediction.context_json:
        record["context"] = _json(prediction.context_json)


def _trace_id(traceparent: str) -> str | None:
    """The trace of a W3C `traceparent` header, if it is one."""
    match = _TRACEPARENT.match(traceparent)
    return match[1] if match else None


def _went(record: dict[str, Any], prediction: Prediction) -> None:
    """What became of it."""
    decision = prediction.decision
    if prediction.facts:
        record["facts"] = {name: _fact(fact) for name, fact in prediction.facts.items()}
    record["features"] = prediction.features
    record["passes"] = prediction.passes
    record["batch_size"] = prediction.batch_size
    if decision is not None:
        record["score"], record["decision"] = decision.score, decision.decision
        record["confidence"], record["explanations_ref"] = decision.confidence, decision.explanations_ref
        record["details"] = prediction.details
    if prediction.fallback is not None:
        record["fallback_used"], record["fallback"] = True, prediction.fallback
        record["fallback_reason"] = prediction.fallback_reason
    if prediction.cache:
        record["cache"] = _cache(prediction)
    record["exceeded"] = prediction.exceeded
    record["stages_ms"] = _milliseconds(prediction)
    if prediction.error is not None:
        record["status"], record["error_type"] = prediction.status, prediction.error_type


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
