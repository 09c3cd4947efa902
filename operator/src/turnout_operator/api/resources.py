"""Compute resources of a ModelDeployment's pods: CPU, memory and whole GPUs."""

from collections.abc import Callable
from typing import Annotated, ClassVar

from pydantic import Field

from turnout_operator.api.common import Quantity
from turnout_operator.api.meta import SUBDOMAIN, SpecModel
from turnout_operator.api.schema import Rule, matches

GPU_RESOURCE_RULE = matches(
    rf"{SUBDOMAIN}/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
    "resources.gpu.resource must be an extended resource with its domain, for example nvidia.com/gpu",
)


class Requests(SpecModel):
    """What each pod reserves on its node."""

    cpu: Quantity = Quantity("100m")
    """CPU in cores, a quantity such as 500m or 2. Default: 100m."""
    memory: Quantity = Quantity("256Mi")
    """Memory in bytes, a quantity such as 512Mi. Default: 256Mi."""


class Limits(SpecModel):
    """What each pod may use at most."""

    cpu: Quantity | None = None
    """CPU in cores, a quantity such as 2. No limit by default."""
    memory: Quantity | None = None
    """Memory in bytes, a quantity such as 1Gi; a pod beyond it is killed. No limit by default."""


class Gpu(SpecModel):
    """Whole GPUs for each pod."""

    count: Annotated[int, Field(ge=1, le=64)]
    """GPUs of each pod, 1 to 64."""
    resource: Annotated[str, Field(max_length=317), GPU_RESOURCE_RULE] = "nvidia.com/gpu"
    """The extended resource that the nodes' device plugin advertises. Default: nvidia.com/gpu."""


def _within_limit(name: str, get: Callable[[Requests | Limits], Quantity | None]) -> Rule:
    request, limit = f"string(self.requests.{name})", f"string(self.limits.{name})"
    given = f"!has(self.requests) || !has(self.requests.{name}) || !has(self.limits) || !has(self.limits.{name})"
    parsed = f"!isQuantity({request}) || !isQuantity({limit})"

    def check(resources: "Compute") -> bool:
        wanted, most = get(resources.requests), get(resources.limits) if resources.limits else None
        return wanted is None or most is None or wanted.value <= most.value

    return Rule(
        f"{given} || {parsed} || quantity({request}).compareTo(quantity({limit})) <= 0",
        f"resources.requests.{name} is more than resources.limits.{name}: raise the limit or lower the request"
        " (requests default to cpu 100m and memory 256Mi)",
        check,
        field_path=f".requests.{name}",
    )


class Compute(SpecModel):
    """CPU and memory of a container."""

    RULES: ClassVar = (
        _within_limit("cpu", lambda amounts: amounts.cpu),
        _within_limit("memory", lambda amounts: amounts.memory),
    )

    requests: Requests = Requests()
    """What each pod reserves. Default: cpu 100m, memory 256Mi."""
    limits: Limits | None = None
    """What each pod may use at most. No limits by default."""


class Resources(Compute):
    """Compute resources of each pod."""

    gpu: Gpu | None = None
    """GPUs of each pod. None by default."""
