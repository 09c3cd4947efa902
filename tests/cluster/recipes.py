"""What images are made of: their Dockerfiles, the files these copy, and so their tags."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.cluster import hashing
from tests.cluster.paths import CHECKOUT

WORKSPACE = ("pyproject.toml", "uv.lock", "operator/pyproject.toml", "runtime/pyproject.toml", ".dockerignore")


@dataclass(frozen=True)
class Recipe:
    """An image: its Dockerfile and what else goes into it, as paths from the repository's root."""

    name: str
    dockerfile: str
    inputs: tuple[str, ...] = ()

    def reference(self, base: str) -> str:
        """Return the image's name; its tag is a hash of all that it is made from, `base` included."""
        files = hashing.sources(CHECKOUT / self.dockerfile, *(CHECKOUT / path for path in self.inputs))
        return f"turnout/{self.name}:{hashing.key(self.name, base, files=files, base=CHECKOUT)}"


OPERATOR = Recipe("operator", "operator/Dockerfile", (*WORKSPACE, "operator"))
RUNTIME = Recipe("runtime", "runtime/Dockerfile", (*WORKSPACE, "runtime"))
GATEWAY = Recipe("gateway", "gateway/Dockerfile")
REDIS = Recipe("redis", "tests/cluster/images/redis/Dockerfile")
TRITON = Recipe("triton", "tests/cluster/images/triton/Dockerfile")
MODULE = ("tests/cluster/node/go.mod", "tests/cluster/node/go.sum", "tests/cluster/node/gpuplugin")
GPU_PLUGIN = Recipe("gpuplugin", "tests/cluster/images/gpuplugin/Dockerfile", MODULE)

RUNTIME_LIMIT = 350_000_000  # bytes above its base, unpacked
PULLED: Mapping[str, str] = {"redis": "redis:7.4-alpine", "base": "python:3.11-slim"}
