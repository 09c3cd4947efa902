"""Images where Docker runs: the same Dockerfiles, Docker's own cache, official images where there are some."""

import os

from tests.cluster.paths import CHECKOUT
from tests.cluster.progress import Step
from tests.cluster.recipes import PULLED, Recipe
from tests.cluster.shell import run, stream, succeeds


def running() -> bool:
    """Tell whether a Docker engine answers."""
    return succeeds(["docker", "info"])


class Docker:
    """Builds recipes with Docker."""

    def reference(self, recipe: Recipe) -> str:
        """Return the name of an image: the official one, or ours by its content."""
        return PULLED.get(recipe.name) or recipe.reference(PULLED["base"])

    def has(self, reference: str) -> bool:
        """Tell whether the engine has `reference`."""
        return succeeds(["docker", "image", "inspect", reference])

    def build(self, recipe: Recipe, reference: str, current: Step) -> None:
        """Build `recipe`, or pull it where it is official."""

        def seen(line: str) -> None:
            current.note = line[:100]

        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        stream(["docker", *arguments(recipe, reference)], seen, cwd=CHECKOUT, env=environment)

    def size_above_base(self, reference: str) -> int:
        """Return an image's unpacked bytes above its base; of an official image, all its bytes."""
        size = _size(reference)
        return size if reference in PULLED.values() else size - _size(PULLED["base"])


def arguments(recipe: Recipe, reference: str) -> list[str]:
    """Return Docker's arguments that make `reference`."""
    if recipe.name in PULLED:
        return ["pull", reference]
    base = f"BASE_IMAGE={PULLED['base']}"
    return ["build", "--progress=plain", "--build-arg", base, "--file", recipe.dockerfile, "--tag", reference, "."]


def _size(reference: str) -> int:
    if not succeeds(["docker", "image", "inspect", reference]):
        run(["docker", "pull", "--quiet", reference])
    return int(run(["docker", "image", "inspect", "--format", "{{.Size}}", reference]))
