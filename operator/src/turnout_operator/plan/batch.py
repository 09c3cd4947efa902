"""What a ModelDeployment of mode batch needs: the run of its present spec, and that no older one goes on beside it.

A Job is made once for each revision. It is never changed, since Kubernetes lets nobody change a Job's pods, and one
that has ended is not made again, also when somebody cleaned it up.
"""

from collections.abc import Sequence

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.batch_run import FINISHED, is_over, observe
from turnout_operator.plan.batch_status import status_of
from turnout_operator.plan.decision import Decision, Object, Observed, Obsolete
from turnout_operator.plan.history import keep, readable
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import batch_manifests


def decide_batch(md: ModelDeployment, observed: Observed, settings: PlanSettings, now: str) -> Decision:
    """The pure heart of the reconcile of a ModelDeployment of mode batch. `now` is RFC 3339."""
    revisions = readable(observed.config_maps)
    wanted = Revision.wanted(md, settings)
    latest = revisions.setdefault(wanted.name, wanted)
    kept, pruned = keep(revisions, {latest.name}, md.spec.revision_history)
    jobs = observed.jobs.get(latest.name, ())
    reported = md.status.batch if md.status else None
    before = reported.model_dump(mode="json", by_alias=True, exclude_none=True) if reported else None
    run = observe(latest, jobs, observed.pods.get(latest.name, ()), observed.cron_jobs.get(latest.name), before)
    ending = _still_running(latest.name, observed)
    return Decision(
        manifests=tuple(
            batch_manifests(
                md,
                latest,
                settings,
                recorded=latest.name in observed.config_maps,
                run=not jobs and not ending and run.phase not in FINISHED,
            )
        ),
        pruned=pruned,
        status=status_of(md, latest, run, kept, ending, now),
        obsolete=_superseded(latest.name, observed),
    )


def _superseded(latest: str, observed: Observed) -> tuple[Obsolete, ...]:
    """The Jobs and CronJobs of other revisions; the Jobs of a CronJob go with it."""
    jobs = [Obsolete("Job", name) for name, found in observed.jobs.items() if name != latest and _own(name, found)]
    cron_jobs = [Obsolete("CronJob", name) for name in observed.cron_jobs if name != latest]
    return (*sorted(jobs), *sorted(cron_jobs))


def _own(revision: str, jobs: Sequence[Object]) -> bool:
    return any(job["metadata"]["name"] == revision for job in jobs)


def _still_running(latest: str, observed: Observed) -> str | None:
    """A superseded revision whose pods have not ended yet: two runs must not write to one place."""
    for name, pods in sorted(observed.pods.items()):
        if name != latest and not all(is_over(pod) for pod in pods):
            return name
    return None
