"""ModelDeployment: what runs. Its spec is all that a revision is made of, plus the number of replicas."""

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from turnout_operator.api.behaviour import (
    FACT_NAME,
    ClaimRef,
    FactSource,
    LogRotation,
    PredictionLog,
    Queue,
    RedisFacts,
    Serving,
)
from turnout_operator.api.conditions import MESSAGE_LIMIT, Condition
from turnout_operator.api.meta import API_VERSION, MAX_NAME, NAME, Resource, SpecModel, StatusModel
from turnout_operator.api.pods import (
    Bundle,
    BundleLocation,
    EnvSource,
    EnvVar,
    Runtime,
    SecretKey,
    Toleration,
)
from turnout_operator.api.resources import Gpu, Limits, Requests, Resources
from turnout_operator.api.schema import Column, ListMap, Names, Rule, Scale, keys_match, matches

_FACTS_RULE = keys_match(
    FACT_NAME, "the names of facts start with a lower-case letter and have up to 63 of a-z, 0-9 and _"
)
_NAME = matches(NAME, "")
NAME_RULE = Rule(
    f"self.metadata.name.size() <= {MAX_NAME} && self.metadata.name.matches(r'^({NAME})$')",
    f"metadata.name must have at most {MAX_NAME} characters of a-z, 0-9 and -, starting with a letter and not ending"
    " with -, since <name>-<hash> names the revision's Service: choose a shorter or simpler name",
    lambda self: len(self.metadata.name) <= MAX_NAME and _NAME.check(self.metadata.name),
    field_path=".metadata.name",
)

ResourceName = Annotated[str, Field(max_length=253)]
Count = Annotated[int, Field(ge=0)]
Message = Annotated[str, Field(max_length=MESSAGE_LIMIT)]


class ModelDeploymentSpec(SpecModel):
    """The wanted workflow, its pods and how they answer. All of it but replicas and revisionHistory makes up a
    revision: a change starts a new one, and the one before it serves until the new one is ready."""

    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Pods of the serving revision, 0 to 1000; `kubectl scale` sets it. Default: 1."""
    bundle: Bundle
    """The bundle to run."""
    runtime: Runtime = Runtime()
    """Image, environment and placement of the pods. Default: the operator's runtime image, placed anywhere."""
    resources: Resources = Resources()
    """Compute resources of each pod. Default: requests of cpu 100m and memory 256Mi."""
    serving: Serving = Serving()
    """How each pod admits and bounds requests. Default: 8 at once, 64 waiting up to 50ms, 1s in all."""
    facts: Annotated[dict[str, FactSource], Field(max_length=32), _FACTS_RULE] = Field(default_factory=dict)
    """Sources of facts by the name that the workflow uses, at most 32. None by default."""
    prediction_log: PredictionLog = PredictionLog()
    """Where and how much of the prediction log is kept. Default: 8 files of 64Mi, gone with the pod."""
    revision_history: Annotated[int, Field(ge=1, le=50)] = 5
    """Retired revisions kept at 0 replicas for a fast return, 1 to 50. Default: 5."""


class RevisionStatus(StatusModel):
    """One revision: an immutable snapshot of all that makes up the pods."""

    name: ResourceName
    """Name of the revision and of its Deployment and Service, <name>-<hash>."""
    phase: Literal["Pending", "Ready", "Failed", "Retired"]
    """Pending until its pods are ready, then Ready; Failed when they cannot become so; Retired at 0 replicas."""
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


class ModelDeploymentStatus(StatusModel):
    """What the operator observed."""

    observed_generation: Count = 0
    """metadata.generation that the status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = Field(default_factory=list)
    """Accepted, BundleVerified, Scheduled, WorkloadReady and Ready."""
    latest_revision: ResourceName | None = None
    """The revision of the present spec."""
    latest_ready_revision: ResourceName | None = None
    """The newest revision that became ready: the one that serves."""
    replicas: Count = 0
    """Pods of all revisions."""
    ready_replicas: Count = 0
    """Pods that answer."""
    selector: Annotated[str, Field(max_length=1024)] | None = None
    """Label selector of the pods, for the scale subresource."""
    gpu: Count = 0
    """GPUs of each pod."""
    revisions: Annotated[list[RevisionStatus], Field(max_length=128), ListMap("name")] = Field(default_factory=list)
    """Revisions that exist, newest first."""
    last_failure: Failure | None = None
    """The last failure of a revision."""


_READY = ".status.conditions[?(@.type=='Ready')]"


class ModelDeployment(Resource):
    """A workflow with its model, run as pods that answer predictions. A RoutingPolicy sends traffic to it."""

    NAMES: ClassVar = Names(
        kind="ModelDeployment",
        plural="modeldeployments",
        singular="modeldeployment",
        short_names=("md",),
        columns=(
            Column("Revision", ".status.latestReadyRevision", "The revision that serves"),
            Column("Ready", f"{_READY}.status", "Whether the present spec serves"),
            Column("Reason", f"{_READY}.reason", "Why it is ready or not"),
            Column("Replicas", ".status.readyReplicas", "Pods that answer", type="integer"),
            Column("GPU", ".status.gpu", "GPUs of each pod", type="integer"),
            Column("Age", ".metadata.creationTimestamp", "Time since it was made", type="date"),
            Column("Latest", ".status.latestRevision", "The revision of the present spec", priority=1),
            Column("Message", f"{_READY}.message", "Why it is ready or not, for people", priority=1),
        ),
        scale=Scale(".spec.replicas", ".status.replicas", ".status.selector"),
    )
    RULES: ClassVar = (NAME_RULE,)

    api_version: Literal["serving.turnout.dev/v1alpha1"] = API_VERSION
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus | None = None


__all__ = [
    "MAX_NAME",
    "Bundle",
    "BundleLocation",
    "ClaimRef",
    "Condition",
    "EnvSource",
    "EnvVar",
    "FactSource",
    "Failure",
    "Gpu",
    "Limits",
    "LogRotation",
    "ModelDeployment",
    "ModelDeploymentSpec",
    "ModelDeploymentStatus",
    "PredictionLog",
    "Queue",
    "RedisFacts",
    "Requests",
    "Resources",
    "RevisionStatus",
    "Runtime",
    "SecretKey",
    "Serving",
    "Toleration",
]
