"""Why a revision's pods don't run: from what the kubelet and the scheduler say to a reason and a remedy."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout_operator.api.conditions import Reason
from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.api.resources import Gpu
from turnout_operator.plan.log_shipper import SHIPPER
from turnout_operator.plan.pod import CONTAINER
from turnout_operator.plan.triton import TRITON

BUNDLE_REASONS = frozenset(
    {
        Reason.BUNDLE_NOT_FOUND,
        Reason.DIGEST_MISMATCH,
        Reason.BUNDLE_INVALID,
        Reason.REQUIREMENTS_NOT_MET,
        Reason.CARD_MISMATCH,
        Reason.SCHEMA_MISMATCH,
        Reason.GOLDEN_EXAMPLES_FAILED,
    }
)
SCHEDULING_REASONS = frozenset({Reason.UNSCHEDULABLE, Reason.INSUFFICIENT_GPU})
_IMAGE_REASONS = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
RUNTIME_REASONS = BUNDLE_REASONS | {
    Reason.CONFIG_INVALID,
    Reason.WORKFLOW_IMPORT_ERROR,
    Reason.WORKFLOW_SETUP_FAILED,
    Reason.MODEL_SERVER_NOT_READY,
    Reason.BATCH_INVALID,
    Reason.BATCH_FAILED,
}
_LOG_TAIL = 600


@dataclass(frozen=True, slots=True)
class Failure:
    """What keeps a revision from serving, and what to do about it."""

    reason: str
    message: str


def find_failure(
    pods: Sequence[Mapping[str, Any]], deployment: Mapping[str, Any] | None, spec: ModelDeploymentSpec
) -> Failure | None:
    """The first failure among a revision's pods, else the Deployment's own; None while there is none."""
    for pod in pods:
        failure = pod_failure(pod, spec)
        if failure:
            return failure
    return _replica_failure(deployment) if not pods else None


def pod_failure(pod: Mapping[str, Any], spec: ModelDeploymentSpec) -> Failure | None:
    """Why one pod doesn't run; None while nothing says so."""
    return _unscheduled(pod, spec) or _container_failure(pod) or _sidecar_failure(pod)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """True when the pod is Ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in _conditions(pod))


def is_scheduled(pod: Mapping[str, Any]) -> bool:
    """True when the pod has a node."""
    return bool(pod.get("spec", {}).get("nodeName"))


def _unscheduled(pod: Mapping[str, Any], spec: ModelDeploymentSpec) -> Failure | None:
    said = next(
        (c for c in _conditions(pod) if c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable"), None
    )
    if said is None:
        return None
    message = said.get("message", "").rstrip(". ")
    source = spec.bundle.location
    if source.scheme == "pvc" and f'persistentvolumeclaim "{source.name}" not found' in message:
        remedy = f"create the PersistentVolumeClaim {source.name} or correct spec.bundle.uri"
        return Failure(Reason.BUNDLE_NOT_FOUND, f"{message}: {remedy}")
    for path, claim in _log_claims(spec):
        if f'persistentvolumeclaim "{claim}" not found' in message:
            return Failure(
                Reason.UNSCHEDULABLE, f"{message}: create the PersistentVolumeClaim {claim} or correct {path}"
            )
    for path, gpu in _gpus(spec):
        if f"Insufficient {gpu.resource}" in message:
            remedy = f"lower {path}.count ({gpu.count} wanted per pod), free GPUs or add nodes"
            return Failure(Reason.INSUFFICIENT_GPU, f"{message}: {remedy}")
    return Failure(Reason.UNSCHEDULABLE, f"{message}: see spec.resources, spec.runtime.nodeSelector and tolerations")


def _log_claims(spec: ModelDeploymentSpec) -> list[tuple[str, str]]:
    log = spec.prediction_log
    own = [("spec.predictionLog.persistentVolumeClaim", log.persistent_volume_claim)]
    sinks = [("spec.predictionLog.sinks", s.directory.persistent_volume_claim) for s in log.sinks if s.directory]
    return [(path, claim.claim_name) for path, claim in [*own, *sinks] if claim]


def _gpus(spec: ModelDeploymentSpec) -> list[tuple[str, Gpu]]:
    wanted = {"spec.resources.gpu": spec.resources.gpu}
    if spec.model_server:
        wanted["spec.modelServer.triton.resources.gpu"] = spec.model_server.triton.resources.gpu
    return [(path, gpu) for path, gpu in wanted.items() if gpu]


def _container_failure(pod: Mapping[str, Any]) -> Failure | None:
    for status in pod.get("status", {}).get("containerStatuses", []):
        if status["name"] != CONTAINER or status.get("ready"):
            continue
        if waits := _waiting(status, "spec.runtime.image"):
            return waits
        ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
        if ended:
            return _termination(pod, ended)
    return None


def _waiting(status: Mapping[str, Any], image: str) -> Failure | None:
    """Why a container could not even be made; `image` is the path of its image in the spec."""
    waiting = status.get("state", {}).get("waiting", {})
    if waiting.get("reason") in _IMAGE_REASONS:
        return Failure(Reason.IMAGE_PULL_FAILED, f"{waiting.get('message', '')}: correct {image}")
    if waiting.get("reason") == "CreateContainerConfigError":
        return Failure(Reason.CONFIG_INVALID, f"{waiting.get('message', '')}: create what is missing")
    return None


def _sidecar_failure(pod: Mapping[str, Any]) -> Failure | None:
    """What keeps the sidecars from running; the model server's last words are the end of its log."""
    for status in pod.get("status", {}).get("initContainerStatuses", []):
        if status["name"] == SHIPPER and (waits := _waiting(status, "spec.runtime.image")):
            return waits
        if status["name"] != TRITON:
            continue
        if waits := _waiting(status, "spec.modelServer.triton.image"):
            return waits
        state = status.get("state", {})
        waiting = state.get("waiting", {})
        ended = state.get("terminated") or (waiting and status.get("lastState", {}).get("terminated"))
        if ended and ended.get("exitCode") != 0:
            tail = ended.get("message", "").strip()[-_LOG_TAIL:]
            said = tail or f"see `kubectl logs {pod['metadata']['name']} -c {TRITON}`"
            return Failure(Reason.MODEL_SERVER_FAILED, f"triton ended with exit code {ended.get('exitCode')}: {said}")
    return None


def _termination(pod: Mapping[str, Any], ended: Mapping[str, Any]) -> Failure | None:
    said = _runtime_said(ended.get("message", ""))
    if said:
        return said
    if ended.get("reason") == "OOMKilled":
        return Failure(Reason.OUT_OF_MEMORY, "the pod ran out of memory: raise spec.resources.limits.memory")
    if ended.get("exitCode") == 0:
        return None
    name = pod["metadata"]["name"]
    return Failure(Reason.CRASH_LOOP, f"exit code {ended.get('exitCode')}: see `kubectl logs {name} --previous`")


def _runtime_said(text: str) -> Failure | None:
    """The runtime's own termination message, `{"reason": …, "message": …}`."""
    try:
        said = json.loads(text)
        reason, message = said["reason"], said["message"]
    except (ValueError, KeyError, TypeError):
        return None
    return Failure(reason if reason in RUNTIME_REASONS else Reason.CRASH_LOOP, str(message))


def _replica_failure(deployment: Mapping[str, Any] | None) -> Failure | None:
    """Pods that could not even be created: a quota, Pod Security, a missing service account."""
    for condition in _conditions(deployment or {}):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Failure(Reason.REPLICAS_UNAVAILABLE, condition.get("message", ""))
    return None


def _conditions(obj: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    conditions: Iterable[Mapping[str, Any]] = obj.get("status", {}).get("conditions") or ()
    return conditions
