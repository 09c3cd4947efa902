"""The container `log`: a sidecar that starts before the runtime, ends after it, and delivers what the pod logged.

It must never keep the pod from serving, though a sidecar that is down makes its pod unready. So there is no probe, a
Secret of a sink may be missing (the sink's condition says so), and a small loop in the container starts the program
again when it ends, where Kubernetes would wait longer and longer.
"""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.api.prediction_log import Shipper
from turnout_operator.plan.container import SECURITY, compute, dump
from turnout_operator.plan.environment import POD_NAME
from turnout_operator.plan.places import CONFIG_DIRECTORY, SHIP_FILE, SHIPPER_PORT, kafka_ca, sink_claim_folder
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.secrets import sink_env
from turnout_operator.plan.volumes import log_mount

Json = dict[str, Any]

SHIPPER = "log"
GRACE_SECONDS = 30.0
_SCRIPT = (
    "ended=; child=; trap 'ended=1; kill -TERM $child 2>/dev/null' TERM; until [ \"$ended\" ]; do"
    ' "$@" & child=$!; [ "$ended" ] && kill -TERM $child; wait $child;'
    ' if [ "$ended" ]; then wait $child; else sleep 2 & child=$!; wait $child; fi; done'
)


def shippers(spec: ModelDeploymentSpec) -> list[Json]:
    """The pod's `initContainers` that deliver the log: one when there are sinks."""
    if not spec.prediction_log.sinks:
        return []
    shipper = spec.prediction_log.shipper or Shipper()
    command = ["turnout", "log", "ship", "--config", f"{CONFIG_DIRECTORY}/{SHIP_FILE}"]
    container = {
        "name": SHIPPER,
        "image": spec.runtime.image,
        "imagePullPolicy": spec.runtime.image_pull_policy,
        "restartPolicy": "Always",
        "command": ["sh", "-c", _SCRIPT, SHIPPER, *command],
        "env": [POD_NAME, *_credentials(spec)],
        "envFrom": _stores(spec),
        "ports": [{"name": SHIPPER, "containerPort": SHIPPER_PORT, "protocol": "TCP"}],
        "resources": compute(shipper.resources),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": SECURITY,
        "volumeMounts": _mounts(spec),
    }
    return [{name: value for name, value in container.items() if value != []}]


def shipper_volumes(revision: Revision) -> list[Json]:
    """The volumes that only this container mounts."""
    sinks = revision.spec.prediction_log.sinks
    if not sinks:
        return []
    items = [{"key": SHIP_FILE, "path": SHIP_FILE}]
    found: list[Json] = [
        {"name": "ship", "configMap": {"name": revision.name, "items": items}},
        {"name": "ship-tmp", "emptyDir": {}},
    ]
    for number, sink in enumerate(sinks):
        if sink.directory:
            claim = {"claimName": sink.directory.persistent_volume_claim.claim_name}
            found.append({"name": f"sink-{number}", "persistentVolumeClaim": claim})
        if sink.kafka and sink.kafka.tls and (ca := sink.kafka.tls.ca_secret_ref):
            secret = {"secretName": ca.name, "items": [{"key": ca.key, "path": "ca.crt"}], "optional": True}
            found.append({"name": f"sink-{number}", "secret": secret})
    return found


def _mounts(spec: ModelDeploymentSpec) -> list[Json]:
    found: list[Json] = [
        {"name": "ship", "mountPath": CONFIG_DIRECTORY, "readOnly": True},
        log_mount(spec),
        {"name": "ship-tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own volume
    ]
    for number, sink in enumerate(spec.prediction_log.sinks):
        if sink.directory:
            found.append({"name": f"sink-{number}", "mountPath": sink_claim_folder(sink.name)})
        if sink.kafka and sink.kafka.tls and sink.kafka.tls.ca_secret_ref:
            folder = kafka_ca(sink.name).rpartition("/")[0]
            found.append({"name": f"sink-{number}", "mountPath": folder, "readOnly": True})
    return found


def _credentials(spec: ModelDeploymentSpec) -> list[Json]:
    """User and password of the Kafka sinks."""
    found: list[Json] = []
    for sink in spec.prediction_log.sinks:
        if sink.kafka and (sasl := sink.kafka.sasl):
            for key in ("username", "password"):
                reference = {**dump(sasl.secret_ref), "key": key, "optional": True}
                found.append({"name": sink_env(sink.name, key.upper()), "valueFrom": {"secretKeyRef": reference}})
    return found


def _stores(spec: ModelDeploymentSpec) -> list[Json]:
    """The variables of the object stores, each with its sink's prefix, since two may differ."""
    return [
        {"prefix": sink_env(sink.name, ""), "secretRef": {**dump(sink.object_store.secret_ref), "optional": True}}
        for sink in spec.prediction_log.sinks
        if sink.object_store and sink.object_store.secret_ref
    ]
