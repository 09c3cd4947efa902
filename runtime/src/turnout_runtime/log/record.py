"""The prediction record: one JSON line that lets a prediction be reconstructed. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from turnout_runtime.facts import Fact
from turnout_runtime.log.privacy import Privacy
from turnout_runtime.plain import plain
from turnout_runtime.predict.ids import rfc3339
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route

SCHEMA_VERSION = 3
_MOST_WAYS = 256
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)")


def _fields(fields: Mapping[str, Any]) -> bytes:
    """Names and values as JSON has them inside an object; what a source or a workflow made up becomes text."""
    try:
        return orjson.dumps(fields, default=str, option=_OPTIONS)[1:-1]
    except (TypeError, RecursionError):
        return orjson.dumps(plain(fields), option=_OPTIONS)[1:-1]


_NOBODY = _fields({"caller": None, "headers": {}})
_NO_FALLBACK = _fields({"fallback_used": False, "fallback": None, "fallback_reason": None, "cache": None})
_FINE = {"status": "ok", "error_type": None, "sample_rate": 1.0}
_NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Identity:
    """What all records of a pod have in common."""

    namespace: str
    model_deployment: str
    revision: str
    bundle_digest: str


class Encoder:
    """Writes the records of one pod.

    Half of a record's 38 fields are the same in most of them: those are text that is ready. That takes half the time of
    a dictionary with all of them, most of all where the processor's caches are busy. Their order means nothing.
    """

    def __init__(self, identity: Identity, privacy: Privacy | None = None, sample: float = 1.0) -> None:
        """`sample` is the share of ordinary predictions that leave a record."""
        self._identity, self._privacy = identity, privacy
        self._ways: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}
        self._ordinary = _fields({**_FINE, "sample_rate": sample})

    def __call__(self, prediction: Prediction) -> bytes:
        """The record as a JSON line. NaN features become null; stages that were not reached are null."""
        line = self._line(prediction)
        if self._privacy is None:
            return line
        record = orjson.loads(line)
        self._privacy(record)
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)

    def _line(self, prediction: Prediction) -> bytes:
        """In one piece, since calls would cost as much as the work."""
        route, request, decision, facts = prediction.route, prediction.request, prediction.decision, prediction.facts
        _, _, _, _, entity, cohort, request_id, _, traceparent, _, shadow, caller, headers, _ = route
        way = (self._ways.get(route[:4]) or self._new_way(route))[shadow]
        refs = b"null"
        if request is not None:
            request_id, entity, refs = request.request_id, request.entity_id, prediction.refs_json or b"{}"
        score = choice = confidence = explanations = details = None
        if decision is not None:
            score, choice, confidence = decision.score, decision.decision, decision.confidence
            explanations, details = decision.explanations_ref, decision.details
        own = {
            "prediction_id": prediction.prediction_id,
            "request_id": request_id,
            "time": rfc3339(prediction.time_ns),
            "cohort": cohort,
            "entity_id": entity,
            "trace_id": None if traceparent is None else _trace_id(traceparent),
            "facts": {name: _fact(fact) for name, fact in facts.items()} if facts else _NOTHING,
            "features": prediction.features,
            "passes": prediction.passes,
            "batch_size": prediction.batch_size,
            "score": score,
            "decision": choice,
            "confidence": confidence,
            "explanations_ref": explanations,
            "details": details,
            "exceeded": prediction.exceeded,
            "stages_ms": _milliseconds(prediction),
        }
        fallback = prediction.fallback
        return b'{%b,%b,%b,"feature_refs":%b,"context":%b,%b,%b}\n' % (
            way,
            _fields(own),
            _NOBODY if caller is None and not headers else _fields({"caller": caller, "headers": headers}),
            refs,
            prediction.context_json or b"null",
            _NO_FALLBACK if fallback is None and not prediction.cache else _fallback(prediction),
            self._ordinary if fallback is None and prediction.error is None else _end(prediction),
        )

    def _new_way(self, route: Route) -> tuple[bytes, bytes]:
        """What the pod and the route's first four fields say, for an answer and for a shadow."""
        identity = self._identity
        fields = {
            "schema_version": SCHEMA_VERSION,
            "namespace": identity.namespace,
            "objective": route.objective,
            "model_deployment": identity.model_deployment,
            "revision": identity.revision,
            "bundle_digest": identity.bundle_digest,
            "policy_version": route.policy_version,
            "arm": route.arm,
            "propensity": route.propensity,
        }
        if len(self._ways) >= _MOST_WAYS:  # headers of callers around the gateway
            self._ways.clear()
        ways = self._ways[route[:4]] = _fields({**fields, "shadow": False}), _fields({**fields, "shadow": True})
        return ways


def _end(prediction: Prediction) -> bytes:
    return _fields({**_FINE, "status": prediction.status, "error_type": prediction.error_type})


def _trace_id(traceparent: str) -> str | None:
    """The trace of a W3C `traceparent` header, if it is one."""
    match = _TRACEPARENT.match(traceparent)
    return match[1] if match else None


def _fact(fact: Fact) -> dict[str, Any]:
    fields = {
        "value": fact.value,
        "source": fact.source,
        "latency_ms": fact.latency_ms,
        "age_ms": fact.age_ms,
    }
    return fields if fact.reason is None else {**fields, "reason": fact.reason}


def _fallback(prediction: Prediction) -> bytes:
    used, age = prediction.fallback is not None, prediction.cache_age
    cache = {"status": prediction.cache, "age_ms": None if age is None else int(age * 1e6) / 1e3}
    return _fields(
        {
            "fallback_used": used,
            "fallback": prediction.fallback,
            "fallback_reason": prediction.fallback_reason if used else None,
            "cache": cache if prediction.cache else None,
        }
    )


def _milliseconds(prediction: Prediction) -> dict[str, float | None]:
    """Stages in milliseconds, cut off at whole microseconds."""
    stages: dict[str, float | None] = {"queue": None, "facts": None, "features": None, "model": None, "decide": None}
    for stage, seconds in prediction.stages.items():
        stages[stage] = seconds * 1e6 // 1 / 1e3
    stages["total"] = prediction.total * 1e6 // 1 / 1e3
    return stages
