"""The Job of a revision of mode batch, or the CronJob that makes one by its schedule."""

from typing import Any

from turnout_operator.api.batch import Batch
from turnout_operator.plan.pod import job_template
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings

MAX_PARALLELISM = 1000

Json = dict[str, Any]


def job(revision: Revision, settings: PlanSettings) -> Json:
    """The spec of the Job: one index a shard, each tried again by itself.

    A pod that was evicted or preempted doesn't count as a try.
    """
    batch = batch_of(revision)
    disrupted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    deadline = {"activeDeadlineSeconds": round(batch.deadline.seconds) or 1} if batch.deadline else {}
    return {
        "completionMode": "Indexed",
        "completions": batch.shards,
        "parallelism": batch.parallelism or min(batch.shards, MAX_PARALLELISM),
        "backoffLimitPerIndex": batch.retries,
        "podFailurePolicy": {"rules": [disrupted]},
        "template": job_template(revision, settings),
        **deadline,
    }


def cron_job(revision: Revision, settings: PlanSettings) -> Json:
    """The spec of the CronJob: a run is left out while the one before it lasts."""
    batch = batch_of(revision)
    return {
        "schedule": batch.schedule,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"metadata": {"labels": revision.labels}, "spec": job(revision, settings)},
        **({"timeZone": batch.time_zone} if batch.time_zone else {}),
    }


def batch_of(revision: Revision) -> Batch:
    """The batch part of a revision that has one. Raises ValueError otherwise."""
    if revision.spec.batch is None:
        raise ValueError(f"revision {revision.name} is not of mode batch")
    return revision.spec.batch
