"""The status of a ModelDeployment, from the states of its revisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout_operator.api.conditions import ConditionType, Reason
from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.conditions import Verdict, find, to_status
from turnout_operator.plan.failures import (
    BUNDLE_REASONS,
    SCHEDULING_REASONS,
    Failure,
    is_ready,
    is_scheduled,
)
from turnout_operator.plan.log_delivery import LogSeen, not_observed
from turnout_operator.plan.revision import DEPLOYMENT_LABEL, REVISION_LABEL, Revision


@dataclass(frozen=True, slots=True)
class RevisionState:
    """One revision with what is wanted of it and what was seen. `replicas` is the wanted number of pods."""

    revision: Revision
    replicas: int
    active: bool
    deployment: Mapping[str, Any] | None
    pods: Sequence[Mapping[str, Any]]
    failure: Failure | None

    @property
    def ready_replicas(self) -> int:
        """Pods that are Ready now."""
        return int((self.deployment or {}).get("status", {}).get("readyReplicas", 0))

    @property
    def phase(self) -> str:
        """Pending, Ready, Failed or Retired."""
        if not self.active:
            return "Retired"
        if self.deployment is not None and self.ready_replicas >= self.replicas:
            return "Ready"
        return "Failed" if self.failure else "Pending"


def status_of(
    md: ModelDeployment,
    latest: str,
    latest_ready: str | None,
    states: Sequence[RevisionState],
    now: str,
    log: LogSeen | None = None,
) -> dict[str, Any]:
    """The whole status. `now` (RFC 3339) is used only where something changed; without `log`, what was said stays."""
    by_name = {state.revision.name: state for state in states}
    previous = md.status.model_dump(mode="json", by_alias=True) if md.status else {}
    before = previous.get("conditions") or ()
    *parts, ready = verdicts(by_name[latest], latest_ready)
    said = [*parts, *_log(md, log, before), ready]
    status: dict[str, Any] = {
        "observedGeneration": md.metadata.generation,
        "conditions": to_status(said, before, md.metadata.generation, now),
        "latestRevision": latest,
        "replicas": sum(int((s.deployment or {}).get("status", {}).get("replicas", 0)) for s in states),
        "readyReplicas": sum(state.ready_replicas for state in states),
        "selector": selector(md, latest_ready or latest),
        "gpu": md.spec.gpus,
        "revisions": [_revision(state) for state in states if state.revision.created_at],
    }
    if md.spec.prediction_log.sinks and (lag := log.lag if log else previous.get("logLag")):
        status["logLag"] = lag
    if latest_ready:
        status["latestReadyRevision"] = latest_ready
    if failure := last_failure(latest, by_name[latest].failure, previous.get("lastFailure"), now):
        status["lastFailure"] = failure
    return status


def refused(status: Mapping[str, Any], message: str, now: str) -> dict[str, Any]:
    """The status when the API server refused one of the objects: a quota, an admission policy, a name that is taken."""
    said = {ConditionType.WORKLOAD_READY: message, ConditionType.READY: message}
    conditions = [
        {
            **condition,
            "status": "False",
            "reason": Reason.REFUSED_BY_API_SERVER,
            "message": said[condition["type"]][:32_768],
            "lastTransitionTime": now if condition["status"] != "False" else condition["lastTransitionTime"],
        }
        if condition["type"] in said
        else condition
        for condition in status["conditions"]
    ]
    return {**status, "conditions": conditions}


def verdicts(latest: RevisionState, latest_ready: str | None) -> list[Verdict]:
    """The conditions, all about the latest revision; Ready is derived from the others."""
    parts = [
        Verdict(ConditionType.ACCEPTED, "True", Reason.ACCEPTED, "the spec is valid"),
        _bundle(latest),
        _scheduled(latest),
        _workload(latest, latest_ready),
    ]
    name = latest.revision.name
    meanwhile = f"; {latest_ready} keeps serving" if latest_ready not in (None, name) else ""
    return derive_ready(parts, Verdict(ConditionType.READY, "True", Reason.READY, f"{name} serves"), meanwhile)


def derive_ready(parts: list[Verdict], good: Verdict, meanwhile: str = "") -> list[Verdict]:
    """The conditions with Ready: `good`, or why it is not so; what is false counts before what is unknown."""
    bad = next((v for status in ("False", "Unknown") for v in parts if v.status == status), None)
    if bad is None:
        return [*parts, good]
    return [*parts, Verdict(ConditionType.READY, "False", bad.reason, bad.message + meanwhile)]


def _log(md: ModelDeployment, seen: LogSeen | None, before: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """LogDelivering, on which Ready does not depend: a log's trouble must not stop traffic."""
    if not md.spec.prediction_log.enabled:
        return []
    kind = ConditionType.LOG_DELIVERING
    if md.spec.replicas == 0:
        return [Verdict(kind, "True", Reason.SCALED_TO_ZERO, "spec.replicas is 0")]
    if seen:
        return [seen.verdict]
    old = find(before, kind)
    known = old and old["reason"] != Reason.SCALED_TO_ZERO
    return [Verdict(kind, old["status"], old["reason"], old["message"]) if known else not_observed()]


def _bundle(latest: RevisionState) -> Verdict:
    kind = ConditionType.BUNDLE_VERIFIED
    # A ready pod is seen through two watches, its own and its Deployment's; either may be ahead.
    if latest.ready_replicas > 0 or any(is_ready(pod) for pod in latest.pods):
        return Verdict(kind, "True", Reason.VERIFIED, f"a pod loaded {latest.revision.spec.bundle.digest}")
    if latest.failure and latest.failure.reason in BUNDLE_REASONS:
        return Verdict(kind, "False", latest.failure.reason, latest.failure.message)
    if latest.replicas == 0:
        return Verdict(kind, "True", Reason.SCALED_TO_ZERO, "spec.replicas is 0, no pod loads the bundle")
    return Verdict(kind, "Unknown", Reason.VERIFYING, "no pod has loaded the bundle yet")


def _scheduled(latest: RevisionState) -> Verdict:
    kind = ConditionType.SCHEDULED
    if latest.failure and latest.failure.reason in SCHEDULING_REASONS:
        return Verdict(kind, "False", latest.failure.reason, latest.failure.message)
    if latest.replicas == 0:
        return Verdict(kind, "True", Reason.SCALED_TO_ZERO, "spec.replicas is 0")
    scheduled = max(latest.ready_replicas, sum(is_scheduled(pod) for pod in latest.pods))
    if scheduled >= latest.replicas:
        return Verdict(kind, "True", Reason.SCHEDULED, "all pods have a node")
    return Verdict(kind, "Unknown", Reason.SCHEDULING, f"{scheduled} of {latest.replicas} pods have a node")


def _workload(latest: RevisionState, latest_ready: str | None) -> Verdict:
    kind = ConditionType.WORKLOAD_READY
    said = f"{latest.ready_replicas} of {latest.replicas} pods of {latest.revision.name} are ready"
    if latest_ready == latest.revision.name and latest.ready_replicas >= latest.replicas:
        return Verdict(kind, "True", Reason.READY, said)
    if latest.failure:
        return Verdict(kind, "False", latest.failure.reason, latest.failure.message)
    return Verdict(kind, "False", Reason.PROGRESSING, said)


def selector(md: ModelDeployment, revision: str) -> str:
    """Label selector of a revision's pods, for the scale subresource."""
    return f"{DEPLOYMENT_LABEL}={md.metadata.name},{REVISION_LABEL}={revision}"


def _revision(state: RevisionState) -> dict[str, Any]:
    spec = state.revision.spec
    return {
        "name": state.revision.name,
        "phase": state.phase,
        "replicas": state.replicas,
        "readyReplicas": state.ready_replicas,
        "bundleDigest": spec.bundle.digest,
        "image": spec.runtime.image,
        "createdAt": state.revision.created_at,
    }


def last_failure(
    revision: str, failure: Failure | None, before: Mapping[str, Any] | None, now: str
) -> Mapping[str, Any] | None:
    """`status.lastFailure`: the present failure, else the one before."""
    if failure is None:
        return before
    said = {"revision": revision, "reason": failure.reason, "message": failure.message[:32_768]}
    known = before is not None and all(before.get(key) == said[key] for key in ("revision", "reason"))
    return before if known else {**said, "time": now}
