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
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)")
_json = orjson.Fragment


def _and_on(fields: Mapping[str, Any]) -> orjson.Fragment:
    """The value of the first of the fields, which goes on with the names and values of the others."""
    try:
        text = orjson.dumps(fields)
    except TypeError:
        text = orjson.dumps(plain(fields))
    return _json(text[text.index(b":") + 1 : -1])


_NOTHING = _json(b"{}")
_NOBODY = _and_on({"caller": None, "headers": {}})
_NO_FALLBACK = _and_on({"fallback_used": False, "fallback": None, "fallback_reason": None, "cache": None})
_FINE = {"status": "ok", "error_type": None, "sample_rate": 1.0}


@dataclass(frozen=True, slots=True)
class Identity:
    """What all records of a pod have in common."""

    namespace: str
    model_deployment: str
    revision: str
    bundle_digest: str


class Encoder:
    """Writes the records of one pod.

    Half of a record's 38 fields are the same in most of them: those are text that is ready, several fields in one. That
    takes two thirds of the time of a dictionary with all of them, most of all where the processor's caches are busy.
    """

    def __init__(self, identity: Identity, privacy: Privacy | None = None, sample: float = 1.0) -> None:
        """`sample` is the share of ordinary predictions that leave a record."""
        self._identity, self._privacy = identity, privacy
        self._ways: dict[tuple[Any, ...], tuple[orjson.Fragment, ...]] = {}
        self._ordinary = _and_on({**_FINE, "sample_rate": sample})

    def __call__(self, prediction: Prediction) -> bytes:
        """The record as a JSON line. NaN features become null; stages that were not reached are null."""
        record = self._record(prediction)
        try:
            line = orjson.dumps(record, default=str, option=_OPTIONS)
        except (TypeError, RecursionError):  # what a source or a workflow made up must not cost the record
            line = orjson.dumps(plain(record), option=_OPTIONS)
        if self._privacy is not None:
            record = orjson.loads(line)
            self._privacy(record)
            line = orjson.dumps(record, option=_OPTIONS)
        return line

    def _record(self, prediction: Prediction) -> dict[str, Any]:
        """All fields, in their documented order; in one piece, since calls would cost as much as the work."""
        route, request, decision, facts = prediction.route, prediction.request, prediction.decision, prediction.facts
        _, _, _, _, entity, cohort, request_id, _, traceparent, _, shadow, caller, headers = route
        way = self._ways.get(route[:4]) or self._new_way(route)
        score = choice = confidence = explanations = details = None
        if decision is not None:
            score, choice, confidence = decision.score, decision.decision, decision.confidence
            explanations, details = decision.explanations_ref, decision.details
        fallback = prediction.fallback
        refs = None
        if request is not None:
            request_id, entity = request.request_id, request.entity_id
            refs = _json(prediction.refs_json) if prediction.refs_json else _NOTHING
        return {
            "schema_version": SCHEMA_VERSION,
            "prediction_id": prediction.prediction_id,
            "request_id": request_id,
            "time": rfc3339(prediction.time_ns),
            "namespace": way[0],
            "cohort": cohort,
            "propensity": way[1 + shadow],
            "entity_id": entity,
            "caller": _NOBODY if caller is None and not headers else _and_on({"caller": caller, "headers": headers}),
            "trace_id": None if traceparent is None else _trace_id(traceparent),
            "feature_refs": refs,
            "context": _json(prediction.context_json) if prediction.context_json else None,
            "facts": {name: _fact(fact) for name, fact in facts.items()} if facts else _NOTHING,
            "features": prediction.features,
            "passes": prediction.passes,
            "batch_size": prediction.batch_size,
            "score": score,
            "decision": choice,
            "confidence": confidence,
            "explanations_ref": explanations,
            "details": details,
            "fallback_used": _NO_FALLBACK if fallback is None and not prediction.cache else _fallback(prediction),
            "exceeded": prediction.exceeded,
            "stages_ms": _milliseconds(prediction),
            "status": self._ordinary if fallback is None and prediction.error is None else _end(prediction),
        }

    def _new_way(self, route: Route) -> tuple[orjson.Fragment, ...]:
        """What the route's first four fields say, and its propensity once for answers and once for shadows."""
        identity, propensity = self._identity, route.propensity
        way = _and_on(
            {
                "namespace": identity.namespace,
                "objective": route.objective,
                "model_deployment": identity.model_deployment,
                "revision": identity.revision,
                "bundle_digest": identity.bundle_digest,
                "policy_version": route.policy_version,
                "arm": route.arm,
            }
        )
        chances = (_and_on({"propensity": propensity, "shadow": shadow}) for shadow in (False, True))
        if len(self._ways) >= _MOST_WAYS:  # headers of callers around the gateway
            self._ways.clear()
        ways = self._ways[route[:4]] = way, *chances
        return ways


def _end(prediction: Prediction) -> orjson.Fragment:
    return _and_on({**_FINE, "status": prediction.status, "error_type": prediction.error_type})


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


def _fallback(prediction: Prediction) -> orjson.Fragment:
    used, age = prediction.fallback is not None, prediction.cache_age
    cache = {"status": prediction.cache, "age_ms": None if age is None else int(age * 1e6) / 1e3}
    return _and_on(
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
