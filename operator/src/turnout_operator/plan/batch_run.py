"""How far the run of a batch revision is, from its Job and pods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from turnout_operator.api.conditions import Reason
from turnout_operator.plan.decision import Object
from turnout_operator.plan.failures import Failure, pod_failure
from turnout_operator.plan.revision import Revision

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Waiting"]

FINISHED = ("Succeeded", "Failed")
JOB_LABEL = "batch.kubernetes.io/job-name"
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True, slots=True)
class Run:
    """The run that counts. `status` is what `status.batch` says of it; `failure` is why it doesn't get on."""

    phase: Phase
    status: dict[str, Any]
    failure: Failure | None = None


def observe(
    revision: Revision,
    jobs: Sequence[Object],
    pods: Sequence[Object],
    cron_job: Object | None,
    before: Mapping[str, Any] | None,
) -> Run:
    """The newest of the Jobs, else what the last status said of a run whose Job has gone, else none yet."""
    schedule = _schedule(cron_job)
    if jobs:
        newest = max(jobs, key=lambda job: (job["metadata"].get("creationTimestamp", ""), job["metadata"]["name"]))
        return _running(revision, newest, pods, schedule)
    if before and before.get("revision") == revision.name and before.get("phase") in FINISHED:
        return Run(before["phase"], {**before, **schedule})
    batch = revision.spec.batch
    phase: Phase = "Waiting" if batch and batch.schedule else "Pending"
    return Run(phase, {"revision": revision.name, "phase": phase, **_counts(revision, {}), **schedule})


def is_over(pod: Object) -> bool:
    """True when no container of the pod will run any more."""
    states = [status.get("state", {}) for status in pod.get("status", {}).get("containerStatuses", ())]
    return bool(states) and all("terminated" in state for state in states)


def _running(revision: Revision, job: Object, pods: Sequence[Object], schedule: Mapping[str, Any]) -> Run:
    seen, name = job.get("status", {}), job["metadata"]["name"]
    phase = _phase(seen)
    times = {"startTime": seen.get("startTime"), "completionTime": _ended(seen)}
    status = {
        "revision": revision.name,
        "job": name,
        "phase": phase,
        **_counts(revision, seen),
        **{key: time for key, time in times.items() if time},
        **schedule,
    }
    mine = [pod for pod in pods if pod["metadata"].get("labels", {}).get(JOB_LABEL) == name]
    return Run(phase, status, None if phase == "Succeeded" else _failure(revision, seen, mine, phase))


def _phase(seen: Mapping[str, Any]) -> Phase:
    if _condition(seen, "Complete"):
        return "Succeeded"
    if _condition(seen, "Failed"):
        return "Failed"
    return "Running" if seen.get("active") or seen.get("succeeded") or seen.get("failed") else "Pending"


def _counts(revision: Revision, seen: Mapping[str, Any]) -> dict[str, Any]:
    total = revision.spec.batch.shards if revision.spec.batch else 0
    succeeded = int(seen.get("succeeded", 0))
    return {
        "total": total,
        "succeeded": succeeded,
        "failed": sum(1 for _ in indexes(seen.get("failedIndexes", ""))),
        "active": int(seen.get("active", 0)),
        "progress": f"{succeeded}/{total}",
    }


def indexes(text: str) -> Iterator[int]:
    """The numbers in a Job's list of indexes such as `0,2-4`."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _failure(revision: Revision, seen: Mapping[str, Any], pods: Sequence[Object], phase: Phase) -> Failure | None:
    """What a pod said whose index is not done, the newest first; of a failed Job that says none, its own words."""
    done = set(indexes(seen.get("completedIndexes", "")))
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True):
        index = pod["metadata"].get("labels", {}).get(INDEX_LABEL, "")
        failure = None if index.isdigit() and int(index) in done else pod_failure(pod, revision.spec)
        if failure:
            return Failure(failure.reason, f"index {index or '?'}: {failure.message}")
    said = _condition(seen, "Failed")
    if phase != "Failed" or said is None:
        return None
    late = said.get("reason") == "DeadlineExceeded"
    remedy = ": raise spec.batch.deadline or parallelism" if late else ""
    return Failure(
        Reason.DEADLINE_EXCEEDED if late else Reason.BATCH_FAILED, f"{said.get('message', 'the Job failed')}{remedy}"
    )


def _ended(seen: Mapping[str, Any]) -> str | None:
    failed = _condition(seen, "Failed")
    ended: str | None = seen.get("completionTime") or (failed or {}).get("lastTransitionTime")
    return ended


def _schedule(cron_job: Object | None) -> dict[str, Any]:
    seen = (cron_job or {}).get("status", {})
    return {key: seen[key] for key in ("lastScheduleTime", "lastSuccessfulTime") if key in seen}


def _condition(seen: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    return next((c for c in seen.get("conditions") or () if c["type"] == kind and c["status"] == "True"), None)
