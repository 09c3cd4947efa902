"""`images`: build what changed, load what the cluster lacks, and write down the names."""

import json
from collections.abc import Sequence
from typing import Protocol

from tests.cluster import recipes
from tests.cluster.paths import State
from tests.cluster.progress import Step, say, step
from tests.cluster.recipes import Recipe

ALL = (recipes.OPERATOR, recipes.RUNTIME, recipes.GATEWAY, recipes.REDIS)


class Engine(Protocol):
    """Builds images: Docker, or buildah."""

    def reference(self, recipe: Recipe) -> str: ...
    def has(self, reference: str) -> bool: ...
    def build(self, recipe: Recipe, reference: str, current: Step) -> None: ...
    def size_above_base(self, reference: str) -> int: ...


class Cluster(Protocol):
    """What images are loaded into."""

    def reachable(self) -> bool: ...
    def lacks(self, references: Sequence[str]) -> list[str]: ...
    def load(self, references: Sequence[str]) -> None: ...


def ensure(
    engine: Engine, cluster: Cluster, state: State, wanted: Sequence[Recipe] = ALL, *, record: bool = True
) -> dict[str, str]:
    """Build and load every image of `wanted`; return their references by name and `record` them in .cluster."""
    references = {recipe.name: engine.reference(recipe) for recipe in wanted}
    for recipe in wanted:
        if not engine.has(references[recipe.name]):
            _build(engine, recipe, references[recipe.name])
    if record:
        state.root.mkdir(parents=True, exist_ok=True)
        state.images.write_text(json.dumps(references, indent=1) + "\n")
    load(cluster, list(references.values()))
    return references


def load(cluster: Cluster, references: Sequence[str]) -> None:
    """Load what the cluster lacks of `references`, if there is a cluster."""
    if not cluster.reachable():
        say("the images are built; the cluster is not up, so they are not loaded")
    elif missing := cluster.lacks(references):
        with step(f"loading {', '.join(name.rpartition('/')[2] for name in missing)}"):
            cluster.load(missing)


def summary(engine: Engine, references: dict[str, str]) -> list[str]:
    """Return one line an image: its name and its unpacked size above the base."""
    return [f"{ref:<40} {engine.size_above_base(ref) / 1e6:6.0f} MB above its base" for ref in references.values()]


def _build(engine: Engine, recipe: Recipe, reference: str) -> None:
    with step(f"building image {reference}") as current:
        engine.build(recipe, reference, current)
        size = engine.size_above_base(reference)
        current.note = f"{size / 1e6:.0f} MB above its base"
        if recipe is recipes.RUNTIME and size > recipes.RUNTIME_LIMIT:
            current.note += f", more than the {recipes.RUNTIME_LIMIT / 1e6:.0f} MB that it may have"
