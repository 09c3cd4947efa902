"""The environment of the runtime container: secrets come by reference, users' own variables last."""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.plan.container import dump
from turnout_operator.plan.places import REGISTRY_DIRECTORY
from turnout_operator.plan.secrets import LOG_HASH_KEY_ENV, fact_secrets

Json = dict[str, Any]

POD_NAME: Json = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
_STORES = ("s3", "gs", "az")


def environment(spec: ModelDeploymentSpec) -> list[Json]:
    """The container's `env`."""
    secrets: list[Json] = [
        {"name": variable, "valueFrom": {"secretKeyRef": dump(key)}}
        for name, source in sorted(spec.facts.items())
        for variable, key in fact_secrets(name, source)
    ]
    # The API server drops an empty value, so one that is sent would always look like drift.
    given = [{key: value for key, value in dump(var).items() if value != ""} for var in spec.runtime.env]
    taken = {variable["name"] for variable in given}
    secrets += _log_key(spec)
    return [POD_NAME, *secrets, *(each for each in _registry(spec) if each["name"] not in taken), *given]


def _log_key(spec: ModelDeploymentSpec) -> list[Json]:
    """The key of the log's hashes. It must be there: nothing is logged in clear because a Secret is missing."""
    hashed = spec.prediction_log.hash
    source = {"secretKeyRef": dump(hashed.key_secret_ref)} if hashed else {}
    return [{"name": LOG_HASH_KEY_ENV, "valueFrom": source}] if hashed else []


def _registry(spec: ModelDeploymentSpec) -> list[Json]:
    """The folder of the config.json in which registries' clients look for credentials."""
    return [{"name": "DOCKER_CONFIG", "value": REGISTRY_DIRECTORY}] if registry_secret(spec) else []


def registry_secret(spec: ModelDeploymentSpec) -> str | None:
    """The Secret with the credentials of a bundle's registry that is to be mounted."""
    reference = spec.bundle.secret_ref
    return reference.name if reference and spec.bundle.location.scheme == "oci" else None


def environment_sources(spec: ModelDeploymentSpec) -> list[Json]:
    """The container's `envFrom`: the object stores' credentials. Of two with the same key the batch's own counts."""
    bundle = spec.bundle.secret_ref if spec.bundle.location.scheme in _STORES else None
    batch = spec.batch.secret_ref if spec.batch else None
    return [{"secretRef": {"name": reference.name}} for reference in (bundle, batch) if reference]
