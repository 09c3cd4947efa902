"""Writes a status when it says something new, and an event when a condition turned."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from turnout_operator.api.conditions import ConditionType, Reason
from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import NotFound
from turnout_operator.kube.events import EventRecorder
from turnout_operator.kube.resources import Object, Resource
from turnout_operator.kube.store import Store
from turnout_operator.kube.writes import apply_status
from turnout_operator.plan.conditions import Verdict, find, to_status
from turnout_operator.telemetry.metrics import WRITES

_QUIET = frozenset({Reason.PROGRESSING, Reason.VERIFYING, Reason.SCHEDULING, Reason.AWAITING_GATEWAYS})


class Turn(NamedTuple):
    """A condition that turned, as an event says it."""

    event_type: str
    reason: str
    note: str


class Reporter:
    """The one place that writes a status."""

    def __init__(self, api: Api, events: EventRecorder, stores: Mapping[Resource, Store]) -> None:
        self._api = api
        self._events = events
        self._stores = stores

    async def report(self, resource: Resource, obj: Object, status: Object) -> None:
        """Write `status` unless the object has it already; an object that has gone is no error."""
        old = obj.get("status") or {}
        if old == status:
            return
        meta = obj["metadata"]
        WRITES.labels("status", resource.kind).inc()
        try:
            written = await apply_status(self._api, resource, meta["namespace"], meta["name"], status)
        except NotFound:
            return
        self._stores[resource].put(written)
        for turn in turns(old, status):
            await self._events.say(resource, obj, turn.event_type, turn.reason, "Reconcile", turn.note)


def turns(old: Object, new: Object) -> Iterator[Turn]:
    """Ready that turned true, the log that is mended, and every condition that is false for a reason that is new.

    What was only scaled and serves the same as before is no news.
    """
    serves_same = all(old.get(field) == new.get(field) for field in ("latestReadyRevision", "policyVersion"))
    for condition in new["conditions"]:
        before = find(old.get("conditions") or (), condition["type"])
        same = before.get("status") == condition["status"] and before.get("reason") == condition["reason"]
        if same or condition["reason"] in _QUIET:
            continue
        ready = condition["type"] == ConditionType.READY
        if ready and condition["status"] == "True" and not (serves_same and before.get("reason") in _QUIET):
            yield Turn("Normal", condition["reason"], condition["message"])
        elif not ready and condition["status"] == "False":
            yield Turn("Warning", condition["reason"], condition["message"])
        elif condition["type"] == ConditionType.LOG_DELIVERING and _is_mended(before, condition):
            yield Turn("Normal", condition["reason"], condition["message"])


def _is_mended(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return before.get("status") == "False" and now["status"] == "True"


def invalid_status(raw: Object, error: ValidationError, now: str) -> dict[str, Any]:
    """The status of an object that an older schema let through: what served before stays."""
    text = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)[:5])
    verdicts = [
        Verdict(ConditionType.ACCEPTED, "False", Reason.INVALID, text),
        Verdict(ConditionType.READY, "False", Reason.INVALID, text),
    ]
    old = raw.get("status") or {}
    generation = raw["metadata"]["generation"]
    conditions = to_status(verdicts, old.get("conditions") or (), generation, now)
    return {**old, "observedGeneration": generation, "conditions": conditions}
