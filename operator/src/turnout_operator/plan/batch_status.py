"""The status of a ModelDeployment of mode batch: Ready when its run has succeeded, or its schedule is in good order."""

from collections.abc import Iterable, Mapping
from typing import Any

from turnout_operator.api.conditions import ConditionType, Reason
from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.batch_run import Run
from turnout_operator.plan.conditions import Verdict, to_status
from turnout_operator.plan.failures import BUNDLE_REASONS, SCHEDULING_REASONS
from turnout_operator.plan.model_deployment_status import derive_ready, last_failure, selector
from turnout_operator.plan.revision import Revision


def status_of(
    md: ModelDeployment, latest: Revision, run: Run, revisions: Iterable[Revision], ending: str | None, now: str
) -> dict[str, Any]:
    """The whole status. `ending` is a superseded revision whose pods are awaited; `now` is RFC 3339."""
    previous = md.status.model_dump(mode="json", by_alias=True) if md.status else {}
    said = verdicts(latest, run, ending, previous.get("lastFailure"))
    status: dict[str, Any] = {
        "observedGeneration": md.metadata.generation,
        "conditions": to_status(said, previous.get("conditions") or (), md.metadata.generation, now),
        "latestRevision": latest.name,
        "replicas": run.status["active"],
        "readyReplicas": 0,
        "selector": selector(md, latest.name),
        "gpu": md.spec.gpus,
        "revisions": [_revision(each, latest, run, said[-1].status) for each in revisions if each.created_at],
        "batch": run.status,
    }
    if failure := last_failure(latest.name, run.failure, previous.get("lastFailure"), now):
        status["lastFailure"] = failure
    return status


def verdicts(latest: Revision, run: Run, ending: str | None, before: Mapping[str, Any] | None) -> list[Verdict]:
    """The conditions, all about the latest revision; Ready is derived from the others."""
    workload = _workload(latest, run, ending, before)
    parts = [
        Verdict(ConditionType.ACCEPTED, "True", Reason.ACCEPTED, "the spec is valid"),
        _bundle(latest, run),
        _scheduled(run),
        workload,
    ]
    return derive_ready(parts, Verdict(ConditionType.READY, "True", workload.reason, workload.message))


def _bundle(latest: Revision, run: Run) -> Verdict:
    kind = ConditionType.BUNDLE_VERIFIED
    if run.failure and run.failure.reason in BUNDLE_REASONS:
        return Verdict(kind, "False", run.failure.reason, run.failure.message)
    if run.phase == "Succeeded" or run.status["succeeded"]:
        return Verdict(kind, "True", Reason.VERIFIED, f"a pod loaded {latest.spec.bundle.digest}")
    if _idle(latest, run):
        return Verdict(kind, "True", Reason.WAITING_FOR_SCHEDULE, "no pod has loaded the bundle yet")
    return Verdict(kind, "Unknown", Reason.VERIFYING, "no pod has loaded the bundle yet")


def _scheduled(run: Run) -> Verdict:
    kind = ConditionType.SCHEDULED
    if run.failure and run.failure.reason in SCHEDULING_REASONS:
        return Verdict(kind, "False", run.failure.reason, run.failure.message)
    if run.phase == "Pending":
        return Verdict(kind, "Unknown", Reason.SCHEDULING, "no pod has a node yet")
    return Verdict(kind, "True", Reason.SCHEDULED, "all pods that are wanted now have a node")


def _workload(latest: Revision, run: Run, ending: str | None, before: Mapping[str, Any] | None) -> Verdict:
    kind = ConditionType.WORKLOAD_READY
    done = f"{run.status['succeeded']} of {run.status['total']} indexes are done"
    if run.phase == "Succeeded":
        return Verdict(kind, "True", Reason.SUCCEEDED, done)
    if run.failure:
        return Verdict(kind, "False", run.failure.reason, run.failure.message)
    if run.phase == "Failed":
        known = before if before and before.get("revision") == latest.name else {}
        return Verdict(kind, "False", known.get("reason", Reason.BATCH_FAILED), known.get("message", done))
    if run.phase == "Waiting":
        return Verdict(kind, "True", Reason.WAITING_FOR_SCHEDULE, "the schedule has started no run yet")
    reason = Reason.RUNNING if run.phase == "Running" else Reason.PROGRESSING
    said = f"{done}; waiting for the pods of {ending} to end" if ending else done
    return Verdict(kind, "True" if _idle(latest, run) else "False", reason, said)


def _idle(latest: Revision, run: Run) -> bool:
    """By a schedule nothing is late while a run is on its way."""
    return bool(latest.spec.batch and latest.spec.batch.schedule) and run.phase != "Failed"


def _revision(revision: Revision, latest: Revision, run: Run, ready: str) -> dict[str, Any]:
    phase = "Retired"
    if revision.name == latest.name:
        phase = "Ready" if ready == "True" else "Failed" if run.phase == "Failed" else "Pending"
    return {
        "name": revision.name,
        "phase": phase,
        "replicas": run.status["active"] if revision.name == latest.name else 0,
        "readyReplicas": 0,
        "bundleDigest": revision.spec.bundle.digest,
        "image": revision.spec.runtime.image,
        "createdAt": revision.created_at,
    }
