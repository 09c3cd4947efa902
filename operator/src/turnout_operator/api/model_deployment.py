"""ModelDeployment: what runs. Its spec is all that a revision is made of, plus the number of replicas."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.batch import Batch
from turnout_operator.api.bundle import Bundle
from turnout_operator.api.conditions import Condition
from turnout_operator.api.facts import FACTS_RULE, FactSource
from turnout_operator.api.meta import API_VERSION, MAX_NAME, NAME, Resource, SpecModel
from turnout_operator.api.model_deployment_status import (
    BatchStatus,
    Failure,
    ModelDeploymentStatus,
    RevisionStatus,
)
from turnout_operator.api.model_server import ModelServer
from turnout_operator.api.pods import Runtime
from turnout_operator.api.prediction_log import LogRotation, PredictionLog
from turnout_operator.api.resources import Resources
from turnout_operator.api.schema import Column, Names, Rule, Scale, keys_match, matches
from turnout_operator.api.serving import Serving

_NAME = matches(NAME, "")
NAME_RULE = Rule(
    f"self.metadata.name.size() <= {MAX_NAME} && self.metadata.name.matches(r'^({NAME})$')",
    f"metadata.name must have at most {MAX_NAME} characters of a-z, 0-9 and -, starting with a letter and not ending"
    " with -, since <name>-<hash> names the revision's Service: choose a shorter or simpler name",
    lambda self: len(self.metadata.name) <= MAX_NAME and _NAME.check(self.metadata.name),
    field_path=".metadata.name",
)

MODE_RULE = Rule(
    "self == oldSelf",
    "spec.mode cannot change: make another ModelDeployment",
    lambda mode: True,  # the API server alone knows what was
    reason="FieldValueForbidden",
)
BATCH_RULE = Rule(
    "(self.mode == 'batch') == has(self.batch)",
    "spec.batch is needed for mode batch, and only there: add it and mode: batch, or remove it",
    lambda spec: (spec.mode == "batch") == (spec.batch is not None),
    field_path=".batch",
)
REPLICAS_RULE = Rule(
    "self.mode != 'batch' || self.replicas == 1",
    "spec.replicas is for mode online: remove it and use batch.shards and batch.parallelism",
    lambda spec: spec.mode != "batch" or spec.replicas == 1,
    field_path=".replicas",
    reason="FieldValueForbidden",
)
ONLINE_RULE = Rule(
    "self.mode != 'batch' || (self.serving.access == 'Any' && self.serving.processes == 1"
    " && !has(self.serving.idempotency) && !has(self.serving.cache) && !has(self.serving.budget)"
    " && self.serving.timeout == '1s' && self.serving.concurrency == 8 && string(self.serving.maxBodySize) == '1Mi'"
    " && self.serving.queue.maxDepth == 64 && self.serving.queue.maxWait == '50ms')",
    "a batch has no callers: of spec.serving only batching is for it; remove the rest (batch.processes and"
    " batch.deadline are there)",
    lambda spec: spec.mode != "batch" or spec.serving.model_copy(update={"batching": None}) == Serving(),
    field_path=".serving",
    reason="FieldValueForbidden",
)
_LOG = "self.predictionLog"
_LOG_PARTS = ("flush", "hash", "persistentVolumeClaim", "retention", "shipper")
_LOG_LISTS = ("redact", "headers", "sinks")
BATCH_LOG_RULE = Rule(
    f"self.mode != 'batch' || ({_LOG}.enabled && {_LOG}.whenFull == 'DropOldest' && {_LOG}.sample == '100%'"
    + "".join(f" && !has({_LOG}.{name})" for name in _LOG_PARTS)
    + "".join(f" && (!has({_LOG}.{name}) || {_LOG}.{name}.size() == 0)" for name in _LOG_LISTS)
    + ")",
    "a batch writes all its rows to batch.output and keeps no prediction log: remove what spec.predictionLog says"
    " beside rotate",
    lambda spec: (
        spec.mode != "batch" or spec.prediction_log.model_copy(update={"rotate": LogRotation()}) == PredictionLog()
    ),
    field_path=".predictionLog",
    reason="FieldValueForbidden",
)
CARD_RULE = keys_match(r"\S([^\n]*\S)?", "requires.card has names of the model card's entries, for example dataset")


class Requires(SpecModel):
    """What the bundle must be for these pods to serve it."""

    card: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(min_length=1, max_length=32), CARD_RULE]
    """Entries that the bundle's model card must have with just these values, 1 to 32, for example dataset:
    flights-2013."""


class ModelDeploymentSpec(SpecModel):
    """The wanted workflow, its pods and how they answer. All of it but replicas and revisionHistory makes up a
    revision: a change starts a new one, and the one before it serves until the new one is ready."""

    RULES: ClassVar = (BATCH_RULE, REPLICAS_RULE, ONLINE_RULE, BATCH_LOG_RULE)

    mode: Annotated[Literal["online", "batch"], MODE_RULE] = "online"
    """online answers requests; batch runs the same workflow over a table, once or by a schedule. It cannot be changed.
    Default: online."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Pods of the serving revision, 0 to 1000; `kubectl scale` sets it. Default: 1."""
    bundle: Bundle
    """The bundle to run."""
    requires: Requires | None = None
    """What the bundle must be; one that is not is refused, and the revision before it serves on. Nothing by default."""
    runtime: Runtime = Runtime()
    """Image, environment and placement of the pods. Default: the operator's runtime image, placed anywhere."""
    resources: Resources = Resources()
    """Compute resources of each pod's runtime. Default: requests of cpu 100m and memory 256Mi."""
    model_server: ModelServer | None = None
    """A model server beside the runtime in each pod. None by default."""
    serving: Serving = Serving()
    """How each pod admits, bounds, batches and remembers requests. Default: 8 at once, 64 waiting up to 50ms, 1s in
    all."""
    facts: Annotated[dict[str, FactSource], Field(max_length=32), FACTS_RULE] = Field(default_factory=dict)
    """Sources of facts by the name that the workflow uses, at most 32. None by default."""
    batch: Batch | None = None
    """What mode batch reads, writes and runs. Needed there, and only there."""
    prediction_log: PredictionLog = PredictionLog()
    """What is logged of every prediction, and where that is delivered. Default: all of it, in 8 files of 64Mi that are
    gone with the pod."""
    revision_history: Annotated[int, Field(ge=1, le=50)] = 5
    """Retired revisions kept at 0 replicas for a fast return, 1 to 50. Default: 5."""

    @property
    def guarded(self) -> bool:
        """Whether the pods answer nobody but the gateways."""
        return self.serving.access == "GatewayOnly"

    @property
    def gpus(self) -> int:
        """GPUs of one pod, those of its model server included."""
        parts = [self.resources, *([self.model_server.triton.resources] if self.model_server else [])]
        return sum(part.gpu.count for part in parts if part.gpu)


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
            Column("Mode", ".spec.mode", "Whether it answers requests or runs over a table", priority=1),
            Column("Progress", ".status.batch.progress", "Indexes of the batch run that are done", priority=1),
            Column("Log-Lag", ".status.logLag", "How far the slowest sink of the log is behind", priority=1),
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
    "Batch",
    "BatchStatus",
    "Bundle",
    "Condition",
    "FactSource",
    "Failure",
    "ModelDeployment",
    "ModelDeploymentSpec",
    "ModelDeploymentStatus",
    "ModelServer",
    "PredictionLog",
    "Requires",
    "Resources",
    "RevisionStatus",
    "Runtime",
    "Serving",
]
