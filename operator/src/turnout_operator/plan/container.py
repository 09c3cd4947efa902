"""What containers of a pod share, whichever of them it is."""

from typing import Any

from turnout_operator.api.resources import Compute, Resources

Json = dict[str, Any]

SECURITY: Json = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def resources(wanted: Resources) -> Json:
    """A container's `resources`; GPUs are limits, as for every extended resource."""
    gpu = {wanted.gpu.resource: str(wanted.gpu.count)} if wanted.gpu else {}
    return compute(wanted, gpu)


def compute(wanted: Compute, extended: Json | None = None) -> Json:
    """A container's `resources`: CPU and memory, and `extended` resources as limits."""
    limits = {**(dump(wanted.limits) if wanted.limits else {}), **(extended or {})}
    return {"requests": dump(wanted.requests), **({"limits": limits} if limits else {})}


def dump(model: Any) -> Json:
    """A part of the API as Kubernetes' own objects have it: camelCase, nothing that is absent."""
    dumped: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
