"""What containers of a pod share, whichever of them it is."""

from typing import Any

from turnout_operator.api.resources import Resources

Json = dict[str, Any]

SECURITY: Json = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def resources(wanted: Resources) -> Json:
    """A container's `resources`; GPUs are limits, as for every extended resource."""
    limits = dump(wanted.limits) if wanted.limits else {}
    if gpu := wanted.gpu:
        limits[gpu.resource] = str(gpu.count)
    return {"requests": dump(wanted.requests), **({"limits": limits} if limits else {})}


def dump(model: Any) -> Json:
    """A part of the API as Kubernetes' own objects have it: camelCase, nothing that is absent."""
    dumped: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
