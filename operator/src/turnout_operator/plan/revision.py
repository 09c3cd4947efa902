"""A revision: the immutable snapshot of all in a ModelDeployment that changes its pods.

Its name carries a hash of that part of the spec, without fields left at their defaults, so that a later schema with
more fields gives old specs the same names. What the operator decided when the revision was made (its image) is kept
in the revision's ConfigMap: upgrading the operator never restarts a model.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import orjson

from turnout_operator.api.model_deployment import ModelDeployment, ModelDeploymentSpec
from turnout_operator.plan.settings import PlanSettings

SPEC_KEY = "spec.json"
MANAGED_BY = {"app.kubernetes.io/managed-by": "turnout"}
DEPLOYMENT_LABEL = "serving.turnout.dev/model-deployment"
REVISION_LABEL = "serving.turnout.dev/revision"
_NOT_IN_REVISION = {"replicas", "revision_history"}


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of the ModelDeployment `deployment`. `created_at` is RFC 3339, empty before it exists."""

    namespace: str
    deployment: str
    name: str
    spec: ModelDeploymentSpec
    created_at: str = ""

    @classmethod
    def wanted(cls, md: ModelDeployment, settings: PlanSettings) -> Self:
        """The revision that a ModelDeployment's spec asks for."""
        name = f"{md.metadata.name}-{revision_hash(md.spec)}"
        return cls(md.metadata.namespace, md.metadata.name, name, _pinned(md.spec, settings))

    @classmethod
    def stored(cls, config_map: dict[str, Any]) -> Self:
        """The revision that a ConfigMap made by `plan.workload` holds; raises ValueError when it was tampered with."""
        meta = config_map["metadata"]
        spec = _parsed(config_map["data"][SPEC_KEY])
        deployment = meta["labels"][DEPLOYMENT_LABEL]
        return cls(meta["namespace"], deployment, meta["name"], spec, meta.get("creationTimestamp", ""))

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything that belongs to it."""
        return {**MANAGED_BY, DEPLOYMENT_LABEL: self.deployment, REVISION_LABEL: self.name}


def revision_hash(spec: ModelDeploymentSpec) -> str:
    """Eight hex digits over the part of `spec` that changes pods."""
    data = spec.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude_none=True, exclude=_NOT_IN_REVISION
    )
    return digest(data)[:8]


@lru_cache(maxsize=4096)
def is_guarded(spec: str) -> bool:
    """Whether a stored spec's pods demand the gateway's certificate, also when this version can't read all of it."""
    try:
        return bool(orjson.loads(spec).get("serving", {}).get("access") == "GatewayOnly")
    except (ValueError, AttributeError):
        return False


def digest(data: Any) -> str:
    """The sha256 hex digest of JSON data in canonical form."""
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()


@lru_cache(maxsize=4096)
def _parsed(spec: str) -> ModelDeploymentSpec:
    # A newer operator may have stored fields that this one doesn't know.
    return ModelDeploymentSpec.model_validate_json(spec, extra="ignore")


def _pinned(spec: ModelDeploymentSpec, settings: PlanSettings) -> ModelDeploymentSpec:
    runtime = spec.runtime.model_copy(update={"image": spec.runtime.image or settings.runtime_image})
    return spec.model_copy(update={"runtime": runtime, "replicas": 1, "revision_history": 5})
