"""Records as requests again, or why they are none. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from turnout_runtime.evaluation.records import Record
from turnout_runtime.predict.route import Route

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENTARY = frozenset({"timeout", "facts-timeout", "inference-timeout", "model-unavailable", "CallerGone"})
"""Errors of the moment, in the words of `error_type` and `fallback_reason`: they say nothing about the bundle."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A logged request: the document as a door would have parsed it, how it came, and when (to the microsecond)."""

    document: dict[str, Any]
    route: Route
    time_ns: int


def not_replayable(record: Record) -> str | None:
    """Why a record cannot be replayed, in words that group such records; None when it can."""
    if record.get("context") is None:
        return "refused before it was read"
    if (record.get("cache") or {}).get("status") in ("hit", "stale"):
        return "answered from memory"
    status, error = record.get("status"), record.get("error_type")
    if status in ("shed", "timeout"):
        return f"{status}: no answer to compare"
    if error == "request-id-reused":
        return "a request_id that came again"
    if error in _MOMENTARY or (record.get("fallback_reason") in _MOMENTARY):
        return f"a failure of the moment: {error or record.get('fallback_reason')}"
    if status == "invalid" and (record.get("stages_ms") or {}).get("facts") is not None and not record.get("passes"):
        return "refused for a fact that its caller sent"
    return None


def asked(record: Record, feature_names: Sequence[str]) -> Asked:
    """The request of a record that is replayable, for a workflow with these features."""
    document = {
        "request_id": record.get("request_id"),
        "entity_id": record.get("entity_id"),
        "feature_refs": record.get("feature_refs") or {},
        "context": record["context"],
    }
    if (row := _precomputed(record, feature_names)) is not None:
        document["features"] = row
    route = Route(
        record.get("objective") or "",
        record.get("arm"),
        record.get("policy_version"),
        record.get("propensity"),
        record.get("entity_id"),
        record.get("cohort"),
        shadow=bool(record.get("shadow")),
        fallback_from=record.get("fallback_reason") if record.get("fallback") == "arm" else None,
    )
    return Asked(document, route, nanoseconds(record["time"]))


def nanoseconds(time: str) -> int:
    """Nanoseconds since 1970 of a time in the log."""
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1) * 1000


def _precomputed(record: Record, names: Sequence[str]) -> list[float] | None:
    """The row that the caller sent in place of a context: such a request goes past the stage `features`."""
    features, stages = record.get("features"), record.get("stages_ms") or {}
    if not features or stages.get("features") is not None or stages.get("model") is None:
        return None
    values = [features[name] for name in names] if features.keys() == set(names) else features.values()
    return [math.nan if value is None else value for value in values]
