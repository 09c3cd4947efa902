"""Predictions as rows of the output. Pure."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import xxhash

from turnout_runtime.errors import InvalidRequest, RequestError
from turnout_runtime.facts import Fact
from turnout_runtime.offline.rows import Asked
from turnout_runtime.predict.prediction import Prediction

COLUMNS = {
    "row": "BIGINT",
    "request_id": "VARCHAR",
    "entity_id": "VARCHAR",
    "time": "BIGINT",
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
"""The columns of parts and their DuckDB types, in the output's order; `time` is in microseconds since 1970."""

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
_MAX_ERROR = 1000


def columns(feature_names: Sequence[str], with_features: bool) -> dict[str, str]:
    """All columns; a workflow without names for its features gives them as one column of JSON."""
    if not with_features:
        return COLUMNS
    features = {f"features.{name}": "DOUBLE" for name in feature_names} or {"features": "JSON"}
    return {**COLUMNS, **features, "facts": "JSON"}


class Answers:
    """Writes the lines of a run. `run` tells it from others; the ids of its predictions depend on nothing else."""

    def __init__(self, revision: str, run: str, feature_names: Sequence[str], with_features: bool) -> None:
        self.feature_names, self.with_features = tuple(feature_names), with_features
        self._revision, self._run = revision, run
        self._prefix = xxhash.xxh32_digest(revision.encode())

    def line(self, asked: Asked, prediction: Prediction) -> bytes:
        """One prediction as a line of JSON; an answer that JSON cannot hold is an error of its row."""
        try:
            return orjson.dumps(self._answer(asked, prediction), default=str, option=_OPTIONS)
        except (TypeError, ValueError, RecursionError) as error:  # odd things in features, facts or details
            fields = {"row": asked.number, "time": asked.time_ns // 1000, "status": "error"}
            told = {"error_type": "NotEncodable", "error": f"the answer is not JSON: {error}"[:_MAX_ERROR]}
            return orjson.dumps(fields | told, option=_OPTIONS)

    def _answer(self, asked: Asked, prediction: Prediction) -> dict[str, Any]:
        decision, error, document = prediction.decision, prediction.error, asked.document
        answer: dict[str, Any] = {
            "row": asked.number,
            "request_id": document["request_id"],
            "entity_id": document["entity_id"],
            "time": asked.time_ns // 1000,
            "status": prediction.status,
            "prediction_id": self._id(asked),
            "model_version": self._revision,
        }
        if error is not None:
            text = str(error) if isinstance(error, RequestError) else f"{type(error).__name__}: {error}"
            answer |= {"error_type": prediction.error_type, "error": text[:_MAX_ERROR]}
        elif decision is not None:
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
            answer |= self._features(prediction)
        return answer

    def refused(self, number: int, names: Mapping[str, Any], error: InvalidRequest) -> bytes:
        """A row that is no request."""
        told = {"status": "invalid", "error_type": error.slug, "error": str(error)[:_MAX_ERROR]}
        return orjson.dumps({"row": number, **names, **told}, option=_OPTIONS)

    def _id(self, asked: Asked) -> str:
        """In the form of the ids that a pod makes; the same whenever the row is answered again."""
        milliseconds = (asked.time_ns // 1_000_000) & (2**48 - 1)
        row = xxhash.xxh64_digest(f"{self._run}:{asked.number}".encode())[:6]
        return base64.urlsafe_b64encode(self._prefix + milliseconds.to_bytes(6, "big") + row)[:22].decode()

    def _features(self, prediction: Prediction) -> dict[str, Any]:
        features: Mapping[str, Any] = prediction.features or {}
        facts = {name: _fact(fact) for name, fact in prediction.facts.items()}
        if not self.feature_names:
            return {"features": features, "facts": facts}
        return {f"features.{name}": None if value is None else float(value) for name, value in features.items()} | {
            "facts": facts
        }


def _fact(fact: Fact) -> dict[str, Any]:
    return {"value": fact.value, "source": fact.source, "age_ms": fact.age_ms, "reason": fact.reason}
