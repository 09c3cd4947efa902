"""The pod of a revision: restricted (Pod Security Standards), read-only root, GPUs by extended resource.

The template of a revision that exists is rendered anew by every version of the operator: what a spec does not ask for
must leave no trace here, or an upgrade would restart all models.
"""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.plan.container import SECURITY, dump, resources
from turnout_operator.plan.environment import environment, environment_sources
from turnout_operator.plan.log_shipper import GRACE_SECONDS, shipper_volumes, shippers
from turnout_operator.plan.places import ADMIN_PORT, HTTP_PORT
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.triton import sidecar_volumes, sidecars
from turnout_operator.plan.volumes import mounts, volumes

CONTAINER = "runtime"
USER = 65532
_MARGIN_SECONDS = 5

Json = dict[str, Any]


def pod_template(revision: Revision, settings: PlanSettings) -> Json:
    """The pod template (PodTemplateSpec) of a revision's Deployment."""
    container = {**_container(revision.spec), **_serving()}
    return {
        "metadata": {"labels": revision.labels, "annotations": _scrape_annotations()},
        "spec": _pod(revision, settings, container),
    }


def job_template(revision: Revision, settings: PlanSettings) -> Json:
    """The pod template of a revision's Job: nobody asks these pods, and one that fails is not started again."""
    pod = _pod(revision, settings, _container(revision.spec))
    return {"metadata": {"labels": revision.labels}, "spec": {**pod, "restartPolicy": "Never"}}


def _pod(revision: Revision, settings: PlanSettings, container: Json) -> Json:
    spec = revision.spec
    pod: Json = {
        "serviceAccountName": revision.name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": round(_grace_seconds(spec, settings)),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [*volumes(revision), *sidecar_volumes(spec), *shipper_volumes(revision)],
        "initContainers": [*shippers(spec), *sidecars(spec)],
        "nodeSelector": dict(spec.runtime.node_selector),
        "tolerations": [dump(toleration) for toleration in spec.runtime.tolerations],
        "imagePullSecrets": _pull_secrets(spec),
    }
    return {name: value for name, value in pod.items() if value not in ([], {})}


def _grace_seconds(spec: ModelDeploymentSpec, settings: PlanSettings) -> float:
    """Time to drain, to answer what is under way, and to deliver the rest of the log."""
    shipping = GRACE_SECONDS if spec.prediction_log.sinks else 0.0
    return settings.drain_seconds + spec.serving.timeout.seconds + _MARGIN_SECONDS + shipping


def _pull_secrets(spec: ModelDeploymentSpec) -> list[Json]:
    reference = spec.bundle.secret_ref
    return [{"name": reference.name}] if reference and spec.bundle.location.scheme == "image" else []


def _scrape_annotations() -> dict[str, str]:
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(ADMIN_PORT), "prometheus.io/path": "/metrics"}


def _container(spec: ModelDeploymentSpec) -> Json:
    container = {
        "name": CONTAINER,
        "image": spec.runtime.image,
        "imagePullPolicy": spec.runtime.image_pull_policy,
        "env": environment(spec),
        "resources": resources(spec.resources),
        "terminationMessagePolicy": "File",
        "securityContext": SECURITY,
        "volumeMounts": mounts(spec),
    }
    sources = environment_sources(spec)
    return {**container, "envFrom": sources} if sources else container


def _serving() -> Json:
    return {
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": _probe("/readyz", periodSeconds=1, failureThreshold=2, timeoutSeconds=2),
        "livenessProbe": _probe("/livez", periodSeconds=10, failureThreshold=6, timeoutSeconds=5),
    }


def _probe(path: str, **timing: int) -> Json:
    return {"httpGet": {"path": path, "port": "admin"}, **timing}
