"""The pod of a revision: restricted (Pod Security Standards), read-only root, GPUs by extended resource."""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.runtime_config import (
    LOG_DIRECTORY,
    MOUNTED,
    SOURCE_DIRECTORY,
    fact_url_env,
)
from turnout_operator.plan.settings import PlanSettings

CONTAINER = "runtime"
HTTP_PORT = 8080
ADMIN_PORT = 8081
CONFIG_DIRECTORY = "/etc/turnout"
CACHE_DIRECTORY = "/var/cache/turnout"
USER = 65532
_MARGIN_SECONDS = 5


def pod_template(revision: Revision, settings: PlanSettings) -> dict[str, Any]:
    """The pod template (PodTemplateSpec) of a revision's Deployment."""
    spec = revision.spec
    pod: dict[str, Any] = {
        "serviceAccountName": revision.name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": round(settings.drain_seconds + spec.serving.timeout.seconds + _MARGIN_SECONDS),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec)],
        "volumes": _volumes(revision),
    }
    if spec.runtime.node_selector:
        pod["nodeSelector"] = dict(spec.runtime.node_selector)
    if spec.runtime.tolerations:
        pod["tolerations"] = [_dump(toleration) for toleration in spec.runtime.tolerations]
    return {"metadata": {"labels": revision.labels, "annotations": _scrape_annotations()}, "spec": pod}


def _scrape_annotations() -> dict[str, str]:
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(ADMIN_PORT), "prometheus.io/path": "/metrics"}


def _container(spec: ModelDeploymentSpec) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": spec.runtime.image,
        "imagePullPolicy": spec.runtime.image_pull_policy,
        "env": _env(spec),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        "resources": _resources(spec),
        "readinessProbe": _probe("/readyz", periodSeconds=1, failureThreshold=2, timeoutSeconds=2),
        "livenessProbe": _probe("/livez", periodSeconds=10, failureThreshold=6, timeoutSeconds=5),
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(spec),
    }


def _probe(path: str, **timing: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "admin"}, **timing}


def _env(spec: ModelDeploymentSpec) -> list[dict[str, Any]]:
    pod_name: dict[str, Any] = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    secrets: list[dict[str, Any]] = [
        {"name": fact_url_env(name), "valueFrom": {"secretKeyRef": _dump(source.redis.secret_ref)}}
        for name, source in sorted(spec.facts.items())
        if source.redis.secret_ref
    ]
    # The API server drops an empty value, so one that is sent would always look like drift.
    given = [{key: value for key, value in _dump(var).items() if value != ""} for var in spec.runtime.env]
    return [pod_name, *secrets, *given]


def _resources(spec: ModelDeploymentSpec) -> dict[str, Any]:
    limits = _dump(spec.resources.limits) if spec.resources.limits else {}
    if gpu := spec.resources.gpu:
        limits[gpu.resource] = str(gpu.count)
    requests = _dump(spec.resources.requests)
    return {"requests": requests, **({"limits": limits} if limits else {})}


def _mounts(spec: ModelDeploymentSpec) -> list[dict[str, Any]]:
    log: dict[str, Any] = {"name": "log", "mountPath": LOG_DIRECTORY}
    if spec.prediction_log.persistent_volume_claim:
        log["subPathExpr"] = "$(POD_NAME)"
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": True},
        {"name": "cache", "mountPath": CACHE_DIRECTORY},
        log,
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own volume
    ]
    if spec.bundle.location.scheme in MOUNTED:
        mounts.append({"name": "source", "mountPath": SOURCE_DIRECTORY, "readOnly": True})
    return mounts


def _volumes(revision: Revision) -> list[dict[str, Any]]:
    spec = revision.spec
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": revision.name, "items": [_item("runtime.json")]}},
        {"name": "cache", "emptyDir": {}},
        {"name": "log", **_log_volume(spec)},
        {"name": "tmp", "emptyDir": {}},
    ]
    source = spec.bundle.location
    if source.scheme == "configmap":
        # Optional, so that the runtime itself can say what is missing instead of a pod that waits in silence.
        config_map = {"name": source.name, "items": [_item(source.path)], "optional": True}
        volumes.append({"name": "source", "configMap": config_map})
    elif source.scheme == "pvc":
        claim = {"claimName": source.name, "readOnly": True}
        volumes.append({"name": "source", "persistentVolumeClaim": claim})
    return volumes


def _item(key: str) -> dict[str, str]:
    return {"key": key, "path": key}


def _log_volume(spec: ModelDeploymentSpec) -> dict[str, Any]:
    log = spec.prediction_log
    if claim := log.persistent_volume_claim:
        return {"persistentVolumeClaim": {"claimName": claim.claim_name}}
    return {"emptyDir": {"sizeLimit": str(log.rotate.size.bytes * (log.rotate.keep + 1))}}


def _dump(model: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
