"""What the operator observed of a ModelDeployment."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from turnout_operator.api.conditions import MESSAGE_LIMIT, Condition
from turnout_operator.api.meta import StatusModel
from turnout_operator.api.schema import ListMap

ResourceName = Annotated[str, Field(max_length=253)]
Count = Annotated[int, Field(ge=0)]
Message = Annotated[str, Field(max_length=MESSAGE_LIMIT)]


class RevisionStatus(StatusModel):
    """One revision: an immutable snapshot of all that makes up the pods."""

    name: ResourceName
    """Name of the revision and of its Deployment and Service, or of its Job or CronJob, <name>-<hash>."""
    phase: Literal["Pending", "Ready", "Failed", "Retired"]
    """Pending until its pods are ready or its run is done, then Ready; Failed when they cannot become so; Retired when
    a newer one has taken over."""
    replicas: Count = 0
    """Pods that exist."""
    ready_replicas: Count = 0
    """Pods that answer."""
    bundle_digest: Annotated[str, Field(max_length=128)] = ""
    """Digest of its bundle."""
    image: Annotated[str, Field(max_length=1024)] = ""
    """Image of its runtime, as pinned."""
    created_at: AwareDatetime | None = None
    """When it was made, RFC 3339."""


class Failure(StatusModel):
    """The last failure of a revision, kept after the failure is over."""

    revision: ResourceName = ""
    """The revision that failed."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, as one CamelCase word."""
    message: Message = ""
    """Why, for people, with the remedy where there is one."""
    time: AwareDatetime
    """When it was first seen, RFC 3339."""


class BatchStatus(StatusModel):
    """The run of mode batch, by a schedule the latest one."""

    revision: ResourceName
    """The revision that runs."""
    job: ResourceName | None = None
    """Name of the run's Job; absent before the first one."""
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Waiting"]
    """Pending before the first pod, Running, then Succeeded or Failed; Waiting for the first time of the schedule."""
    total: Count = 0
    """Indexes, one a shard."""
    succeeded: Count = 0
    """Indexes that are done."""
    failed: Count = 0
    """Indexes that failed for good."""
    active: Count = 0
    """Pods that run."""
    progress: Annotated[str, Field(max_length=32)] | None = None
    """Indexes that are done of all, for example 3/4."""
    start_time: AwareDatetime | None = None
    """When the run began, RFC 3339."""
    completion_time: AwareDatetime | None = None
    """When it ended, RFC 3339."""
    last_schedule_time: AwareDatetime | None = None
    """When the schedule last started a run, RFC 3339."""
    last_successful_time: AwareDatetime | None = None
    """When a run of the schedule last succeeded, RFC 3339."""


class ModelDeploymentStatus(StatusModel):
    """What the operator observed."""

    observed_generation: Count = 0
    """metadata.generation that the status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = Field(default_factory=list)
    """Accepted, BundleVerified, Scheduled, WorkloadReady, LogDelivering (in mode online, while predictions are logged)
    and Ready, which does not depend on the log."""
    latest_revision: ResourceName | None = None
    """The revision of the present spec."""
    latest_ready_revision: ResourceName | None = None
    """The newest revision that became ready: the one that serves. Absent in mode batch."""
    replicas: Count = 0
    """Pods of all revisions."""
    ready_replicas: Count = 0
    """Pods that answer."""
    log_lag: Annotated[str, Field(max_length=16)] | None = None
    """Age below which the oldest row is that a sink has not got yet, in steps, for example <2m. Absent without
    sinks."""
    selector: Annotated[str, Field(max_length=1024)] | None = None
    """Label selector of the pods, for the scale subresource."""
    gpu: Count = 0
    """GPUs of each pod."""
    revisions: Annotated[list[RevisionStatus], Field(max_length=128), ListMap("name")] = Field(default_factory=list)
    """Revisions that exist, newest first."""
    batch: BatchStatus | None = None
    """The run of mode batch. Absent in mode online."""
    last_failure: Failure | None = None
    """The last failure of a revision."""
