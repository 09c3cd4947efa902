"""Triton beside the runtime: a sidecar that starts before it and ends after it, in Jobs too."""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.api.model_server import Triton
from turnout_operator.plan.container import SECURITY, resources
from turnout_operator.plan.places import (
    CACHE_DIRECTORY,
    REPOSITORY_DIRECTORY,
    SHARED_MEMORY_DIRECTORY,
    SOURCE_DIRECTORY,
    TRITON_PORT,
    bundle_folder,
    claim_of,
    mounted_bundle,
)
from turnout_operator.plan.volumes import SHARED_MEMORY, claim_source

Json = dict[str, Any]

TRITON = "triton"
# The runtime brings the bundle, and says itself when a model isn't ready: a probe would only add a second opinion. Only
# the runtime of the same pod may ask it, whatever spec.serving.access says.
_SCRIPT = (
    "trap 'exit 0' TERM; repository=$1; shift; until [ -d \"$repository\" ]; do sleep 0.2; done; exec tritonserver"
    ' --model-repository="$repository" --http-address=127.0.0.1 --http-port=8000 --grpc-address=127.0.0.1'
    f' --grpc-port={TRITON_PORT} --metrics-port=8002 "$@"'
)


def sidecars(spec: ModelDeploymentSpec) -> list[Json]:
    """The pod's `initContainers` that keep running."""
    if spec.model_server is None:
        return []
    triton = spec.model_server.triton
    return [
        {
            "name": TRITON,
            "image": triton.image,
            "imagePullPolicy": triton.image_pull_policy,
            "restartPolicy": "Always",
            "command": ["sh", "-c", _SCRIPT, TRITON, _repository(spec, triton), *triton.args],
            "resources": resources(triton.resources),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": SECURITY,
            "volumeMounts": _mounts(spec, triton),
        }
    ]


def sidecar_volumes(spec: ModelDeploymentSpec) -> list[Json]:
    """The volumes that only the sidecars mount."""
    if spec.model_server is None:
        return []
    claim = claim_of(spec.model_server.triton.model_repository)
    repository = [{"name": "repository", "persistentVolumeClaim": claim_source(claim[0])}] if claim else []
    return [{"name": "triton-tmp", "emptyDir": {}}, *repository]


def _repository(spec: ModelDeploymentSpec, triton: Triton) -> str:
    claim = claim_of(triton.model_repository)
    if claim:
        return f"{REPOSITORY_DIRECTORY}/{claim[1]}".rstrip("/")
    return f"{bundle_folder(spec.bundle.location, spec.bundle.digest)}/{triton.model_repository}"


def _mounts(spec: ModelDeploymentSpec, triton: Triton) -> list[Json]:
    mounts: list[Json] = [{"name": "triton-tmp", "mountPath": "/tmp"}]  # noqa: S108 - the pod's own volume
    if claim_of(triton.model_repository):
        mounts.append({"name": "repository", "mountPath": REPOSITORY_DIRECTORY, "readOnly": True})
    else:
        mounts.append({"name": "cache", "mountPath": CACHE_DIRECTORY, "readOnly": True})
        if mounted_bundle(spec.bundle.location):
            mounts.append({"name": "source", "mountPath": SOURCE_DIRECTORY, "readOnly": True})
    if triton.shared_memory:
        mounts.append({"name": SHARED_MEMORY, "mountPath": SHARED_MEMORY_DIRECTORY})
    return mounts
