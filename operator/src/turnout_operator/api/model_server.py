"""A Triton inference server beside the runtime, for models that it serves better."""

from typing import Annotated, Literal

from pydantic import Field

from turnout_operator.api.bundle import SEGMENT
from turnout_operator.api.meta import SUBDOMAIN, SpecModel
from turnout_operator.api.resources import Resources
from turnout_operator.api.schema import Rule, matches

REPOSITORY_RULE = matches(
    rf"{SEGMENT}(/{SEGMENT})*|pvc://{SUBDOMAIN}(/{SEGMENT})*",
    "triton.modelRepository must be a folder in the bundle such as models, or pvc://CLAIM/PATH",
)
_OWN = ("--model-repository", "--http-address", "--grpc-address", "--grpc-port", "--http-port", "--metrics-port")
_OWN_PATTERN = "^(" + "|".join(_OWN) + ")(=|$)"
ARGUMENT_RULE = Rule(
    f"!self.matches('{_OWN_PATTERN}')",
    "the operator itself sets Triton's model repository, addresses and ports: remove the argument",
    lambda argument: argument.partition("=")[0] not in _OWN,
    reason="FieldValueForbidden",
)
IMAGE_RULE = matches(r"[^\s]+", "triton.image must be an image reference such as nvcr.io/nvidia/tritonserver:25.10-py3")


class Triton(SpecModel):
    """A Triton as a sidecar of each pod. Models of format triton in bundle.yaml run on it, over localhost."""

    image: Annotated[str, Field(max_length=1024), IMAGE_RULE]
    """Image of Triton, with sh and tritonserver on its path."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the image is pulled. Default: IfNotPresent."""
    model_repository: Annotated[str, Field(max_length=2048), REPOSITORY_RULE] = "models"
    """The model repository: a folder in the bundle, or pvc://CLAIM/PATH. Default: models."""
    args: Annotated[list[Annotated[str, Field(max_length=1024), ARGUMENT_RULE]], Field(max_length=64)] = Field(
        default_factory=list
    )
    """Further arguments of tritonserver, at most 64. None by default."""
    shared_memory: bool = False
    """Whether large inputs go through shared memory, which counts as the pod's memory. Default: False."""
    resources: Resources = Resources()
    """Compute resources of the sidecar, GPUs among them. Default: requests of cpu 100m and memory 256Mi."""


class ModelServer(SpecModel):
    """Servers that stand beside the runtime in each pod."""

    triton: Triton
    """A Triton."""
