"""Conditions as decisions make them, and how they become those of a status."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition without its history."""

    type: str
    status: Status
    reason: str
    message: str = ""


def to_status(
    verdicts: Iterable[Verdict], previous: Sequence[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """The `conditions` list: a transition time changes only when the status does. `now` is RFC 3339."""
    before = {condition["type"]: condition for condition in previous}
    return [_condition(verdict, before.get(verdict.type), generation, now) for verdict in verdicts]


def _condition(verdict: Verdict, before: Mapping[str, Any] | None, generation: int, now: str) -> dict[str, Any]:
    unchanged = before is not None and before["status"] == verdict.status
    return {
        "type": verdict.type,
        "status": verdict.status,
        "reason": verdict.reason,
        "message": verdict.message[:32_768],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before is not None and unchanged else now,
    }


def find(conditions: Iterable[Mapping[str, Any]], condition_type: str) -> Mapping[str, Any]:
    """The condition of a type; an empty mapping when there is none."""
    return next((condition for condition in conditions if condition["type"] == condition_type), {})
