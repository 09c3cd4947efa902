"""The volumes of a revision's pods, and where the runtime container mounts them."""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.plan.environment import registry_secret
from turnout_operator.plan.places import (
    CACHE_DIRECTORY,
    CLAIMS_DIRECTORY,
    CONFIG_DIRECTORY,
    GATEWAY_CA_DIRECTORY,
    GATEWAY_CA_FILE,
    LOG_DIRECTORY,
    REGISTRY_DIRECTORY,
    SHARED_MEMORY_DIRECTORY,
    SOURCE_DIRECTORY,
    claim_of,
    mounted_bundle,
)
from turnout_operator.plan.revision import Revision

Json = dict[str, Any]

SHARED_MEMORY = "shared-memory"
_REJECTED = 8  # files: the shipper keeps no more of them
_DOCKER_CONFIG = ".dockerconfigjson"


def gateway_ca_name(deployment: str) -> str:
    """The ConfigMap with the authority of the gateways' certificate, one a ModelDeployment."""
    return f"{deployment}-turnout-gateway-ca"


def log_mount(spec: ModelDeploymentSpec) -> Json:
    """Where the log's segments lie, in every container that writes or reads them; in a claim each pod has a folder."""
    log: Json = {"name": "log", "mountPath": LOG_DIRECTORY}
    return {**log, "subPathExpr": "$(POD_NAME)"} if spec.prediction_log.persistent_volume_claim else log


def mounts(spec: ModelDeploymentSpec) -> list[Json]:
    """The runtime container's `volumeMounts`."""
    found: list[Json] = [
        _read_only("config", CONFIG_DIRECTORY),
        {"name": "cache", "mountPath": CACHE_DIRECTORY},
        log_mount(spec),
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own volume
    ]
    if mounted_bundle(spec.bundle.location):
        found.append(_read_only("source", SOURCE_DIRECTORY))
    if spec.guarded:
        found.append(_read_only("gateway-ca", GATEWAY_CA_DIRECTORY))
    if registry_secret(spec):
        found.append(_read_only("registry", REGISTRY_DIRECTORY))
    if shares_memory(spec):
        found.append({"name": SHARED_MEMORY, "mountPath": SHARED_MEMORY_DIRECTORY})
    for number, (claim, writable) in enumerate(_claims(spec).items()):
        place = {"name": f"data-{number}", "mountPath": f"{CLAIMS_DIRECTORY}/{claim}"}
        found.append(place if writable else {**place, "readOnly": True})
    return found


def volumes(revision: Revision) -> list[Json]:
    """The pod's `volumes`, but for those of its sidecars alone."""
    spec = revision.spec
    found: list[Json] = [
        {"name": "config", "configMap": {"name": revision.name, "items": [_item("runtime.json")]}},
        {"name": "cache", "emptyDir": {}},
        {"name": "log", **_log_volume(spec)},
        {"name": "tmp", "emptyDir": {}},
    ]
    if mounted_bundle(spec.bundle.location):
        found.append({"name": "source", **_source(spec)})
    if spec.guarded:
        trusted = {"name": gateway_ca_name(revision.deployment), "items": [_item(GATEWAY_CA_FILE)]}
        found.append({"name": "gateway-ca", "configMap": trusted})
    if secret := registry_secret(spec):
        items = [{"key": _DOCKER_CONFIG, "path": "config.json"}]
        found.append({"name": "registry", "secret": {"secretName": secret, "items": items}})
    if shares_memory(spec):
        found.append({"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory"}})
    for number, (claim, writable) in enumerate(_claims(spec).items()):
        found.append({"name": f"data-{number}", "persistentVolumeClaim": claim_source(claim, writable=writable)})
    return found


def claim_source(claim: str, *, writable: bool = False) -> Json:
    """A claim as a volume's source."""
    return {"claimName": claim} if writable else {"claimName": claim, "readOnly": True}


def shares_memory(spec: ModelDeploymentSpec) -> bool:
    """Whether runtime and model server hand inputs over in shared memory."""
    return spec.model_server is not None and spec.model_server.triton.shared_memory


def _source(spec: ModelDeploymentSpec) -> Json:
    source = spec.bundle.location
    if source.scheme == "configmap":
        # Optional, so that the runtime itself can say what is missing instead of a pod that waits in silence.
        return {"configMap": {"name": source.name, "items": [_item(source.path)], "optional": True}}
    if source.scheme == "image":
        return {"image": {"reference": source.reference, "pullPolicy": "IfNotPresent"}}
    return {"persistentVolumeClaim": claim_source(source.name)}


def _claims(spec: ModelDeploymentSpec) -> dict[str, bool]:
    """The claims of a batch's data by name, and whether it writes there."""
    if spec.batch is None:
        return {}
    uris = [spec.batch.input, *(snapshot.uri for snapshot in spec.batch.facts.values())]
    read = {claim[0]: False for uri in uris if (claim := claim_of(uri))}
    output = claim_of(spec.batch.output)
    claims = read | ({output[0]: True} if output else {})
    return dict(sorted(claims.items()))


def _read_only(name: str, path: str) -> Json:
    return {"name": name, "mountPath": path, "readOnly": True}


def _item(key: str) -> dict[str, str]:
    return {"key": key, "path": key}


def _log_volume(spec: ModelDeploymentSpec) -> Json:
    log = spec.prediction_log
    if claim := log.persistent_volume_claim:
        return {"persistentVolumeClaim": {"claimName": claim.claim_name}}
    # A pod that has more than the limit is evicted, so what is beside the rotation must fit, too: with sinks, one more
    # file that each process writes, one of feedback, and those that could not be delivered, or are just on their way.
    more = 2 * spec.serving.processes + max(log.rotate.keep, _REJECTED) if log.sinks else 0
    return {"emptyDir": {"sizeLimit": str(log.rotate.size.bytes * (log.rotate.keep + 1 + more))}}
