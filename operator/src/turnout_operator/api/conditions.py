"""The status API: condition types, reasons, and the condition itself."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from turnout_operator.api.meta import StatusModel

MESSAGE_LIMIT = 32_768


class ConditionType(StrEnum):
    """What a condition is about. `Ready` is derived from the others but LogDelivering: a log must not stop traffic."""

    ACCEPTED = "Accepted"
    BUNDLE_VERIFIED = "BundleVerified"
    SCHEDULED = "Scheduled"
    WORKLOAD_READY = "WorkloadReady"
    LOG_DELIVERING = "LogDelivering"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    READY = "Ready"


class Reason(StrEnum):
    """Why a condition has its status: one CamelCase word that programs may compare."""

    # Any condition.
    READY = "Ready"
    # Accepted.
    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    OBJECTIVE_CONFLICT = "ObjectiveConflict"
    # BundleVerified; the runtime's words for a failed start are the same.
    VERIFIED = "Verified"
    VERIFYING = "Verifying"
    BUNDLE_NOT_FOUND = "BundleNotFound"
    DIGEST_MISMATCH = "DigestMismatch"
    BUNDLE_INVALID = "BundleInvalid"
    REQUIREMENTS_NOT_MET = "RequirementsNotMet"
    CARD_MISMATCH = "CardMismatch"
    SCHEMA_MISMATCH = "SchemaMismatch"
    GOLDEN_EXAMPLES_FAILED = "GoldenExamplesFailed"
    # Scheduled.
    SCHEDULED = "Scheduled"
    SCHEDULING = "Scheduling"
    UNSCHEDULABLE = "Unschedulable"
    INSUFFICIENT_GPU = "InsufficientGPU"
    SCALED_TO_ZERO = "ScaledToZero"
    # WorkloadReady.
    PROGRESSING = "Progressing"
    REPLICAS_UNAVAILABLE = "ReplicasUnavailable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONFIG_INVALID = "ConfigInvalid"
    WORKFLOW_IMPORT_ERROR = "WorkflowImportError"
    WORKFLOW_SETUP_FAILED = "WorkflowSetupFailed"
    CRASH_LOOP = "CrashLoop"
    REFUSED_BY_API_SERVER = "RefusedByAPIServer"
    OUT_OF_MEMORY = "OutOfMemory"
    MODEL_SERVER_FAILED = "ModelServerFailed"
    MODEL_SERVER_NOT_READY = "ModelServerNotReady"
    # LogDelivering.
    DELIVERING = "Delivering"
    SINK_UNAVAILABLE = "SinkUnavailable"
    DROPPING_RECORDS = "DroppingRecords"
    NOT_OBSERVED = "NotObserved"
    # WorkloadReady of mode batch.
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    WAITING_FOR_SCHEDULE = "WaitingForSchedule"
    BATCH_INVALID = "BatchInvalid"
    BATCH_FAILED = "BatchFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    # ResolvedRefs.
    RESOLVED = "Resolved"
    MODEL_DEPLOYMENT_NOT_FOUND = "ModelDeploymentNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    NO_READY_REVISION = "NoReadyRevision"
    # Programmed.
    PROGRAMMED = "Programmed"
    AWAITING_GATEWAYS = "AwaitingGateways"
    NO_GATEWAY = "NoGateway"
    REJECTED_BY_GATEWAY = "RejectedByGateway"


class Condition(StatusModel):
    """One observation of the object's state, by the Kubernetes convention."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """What is observed, for example Ready."""
    status: Literal["True", "False", "Unknown"]
    """True, False, or Unknown while it is not decided."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """metadata.generation that the observation is about."""
    last_transition_time: AwareDatetime
    """When status last changed, RFC 3339."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, as one CamelCase word."""
    message: Annotated[str, Field(max_length=MESSAGE_LIMIT)] = ""
    """Why, for people, with the remedy where there is one."""
