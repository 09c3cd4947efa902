"""Predictions as rows of the output. Pure."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import xxhash

from turnout_runtime.errors import InvalidRequest, RequestError
from turnout_runtime.facts import Fact
from turnout_runtime.offline.rows import Asked
from turnout_runtime.predict.ids import rfc3339
from turnout_runtime.predict.prediction import Prediction

COLUMNS = {
    "row": "BIGINT",
    "request_id": "VARCHAR",
    "entity_id": "VARCHAR",
    "time": "TIMESTAMPTZ",
    "status": "VARCHAR",
    "error_type": "VARCHAR",
    "error": "VARCHAR",
    "prediction_id": "VARCHAR",
    "model_version": "VARCHAR",
    "decision": "VARCHAR",
    "score": "DOUBLE",
    "confidence": "DOUBLE",
    "explanations_ref": "VARCHAR",
    "fallback_used": "BOOLEAN",
    "fallback": "VARCHAR",
    "details": "JSON",
}
"""The output's columns and their DuckDB types; with features, `features.<name>` and `facts` follow."""

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
_MAX_ERROR = 1000


def columns(feature_names: Sequence[str], with_features: bool) -> dict[str, str]:
    """All columns; a workflow without names for its features gives them as one column of JSON."""
    if not with_features:
        return COLUMNS
    features = {f"features.{name}": "DOUBLE" for name in feature_names} or {"features": "JSON"}
    return {**COLUMNS, **features, "facts": "JSON"}


@dataclass(frozen=True, slots=True)
class Answers:
    """Writes the lines of a run. `run` tells it from others; the ids of its predictions depend on nothing else."""

    revision: str
    run: str
    feature_names: tuple[str, ...]
    with_features: bool

    def line(self, asked: Asked, prediction: Prediction) -> bytes:
        """One prediction as a line of JSON."""
        decision = prediction.decision
        answer = self._head(asked) | _failure(prediction)
        if decision is not None and prediction.error is None:
            answer |= {
                "decision": decision.decision,
                "score": decision.score,
                "confidence": decision.confidence,
                "explanations_ref": decision.explanations_ref,
                "fallback_used": prediction.fallback_used,
                "fallback": prediction.fallback,
                "details": prediction.details,
            }
        if self.with_features:
            answer |= self._features(prediction) | {"facts": {n: _fact(f) for n, f in prediction.facts.items()}}
        return orjson.dumps(answer, default=str, option=_OPTIONS)

    def refused(self, number: int, error: InvalidRequest) -> bytes:
        """A row that is no request."""
        fields = {"row": number, "request_id": f"row-{number}", "status": "invalid", "error_type": error.slug}
        return orjson.dumps({**fields, "error": str(error)}, option=_OPTIONS)

    def _head(self, asked: Asked) -> dict[str, Any]:
        return {
            "row": asked.number,
            "request_id": asked.document["request_id"],
            "entity_id": asked.document["entity_id"],
            "time": rfc3339(asked.time_ns),
            "prediction_id": self._id(asked),
            "model_version": self.revision,
        }

    def _id(self, asked: Asked) -> str:
        """In the form of the ids that a pod makes; the same whenever the row is answered again."""
        milliseconds = (asked.time_ns // 1_000_000) & (2**48 - 1)
        row = xxhash.xxh64_digest(f"{self.run}:{asked.number}".encode())[:6]
        token = xxhash.xxh32_digest(self.revision.encode()) + milliseconds.to_bytes(6, "big") + row
        return base64.urlsafe_b64encode(token)[:22].decode()

    def _features(self, prediction: Prediction) -> dict[str, Any]:
        features: Mapping[str, Any] = prediction.features or {}
        if not self.feature_names:
            return {"features": features}
        return {f"features.{name}": float(value) for name, value in features.items()}


def _failure(prediction: Prediction) -> dict[str, Any]:
    error = prediction.error
    if error is None:
        return {"status": prediction.status}
    text = str(error) if isinstance(error, RequestError) else f"{type(error).__name__}: {error}"
    return {"status": prediction.status, "error_type": prediction.error_type, "error": text[:_MAX_ERROR]}


def _fact(fact: Fact) -> dict[str, Any]:
    return {"value": fact.value, "source": fact.source, "age_ms": fact.age_ms, "reason": fact.reason}
