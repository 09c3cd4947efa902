"""Import, set up, check, warm: everything between a bundle's files and the first request, in this order.

What needs none of the bundle's code is checked first, so that a missing package is told by its name and not by an
ImportError of the workflow.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from turnout_runtime.bundle.code import explain, load_entry
from turnout_runtime.bundle.manifest import Manifest
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.bundle.requirements import check_requirements
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import ModelServer, Requires, Serving
from turnout_runtime.errors import BundleInvalid, CardMismatch, StartError, WorkflowSetupFailed
from turnout_runtime.loading.apart import apart
from turnout_runtime.loading.examples import Examples, check_golden, warm_up
from turnout_runtime.loading.reference import read_reference
from turnout_runtime.loading.schemas import check_schemas
from turnout_runtime.models import Model
from turnout_runtime.models.load import load_models, warm
from turnout_runtime.models.stats import ModelStats
from turnout_runtime.workflow import Workflow
from turnout_runtime.workflow.entry import as_workflow

if TYPE_CHECKING:
    from turnout_runtime.sketches.document import Sketches


@dataclass(frozen=True, slots=True)
class LoadedWorkflow:
    """A workflow that was set up and checked.

    `golden` is how many golden examples hold, `facts` the names of those that its examples fetched, `reference` what
    its training looked like.
    """

    workflow: Workflow
    golden: int = 0
    facts: frozenset[str] = frozenset()
    reference: "Sketches | None" = None

    async def close(self) -> None:
        """Give back what its models hold: threads, connections, shared memory."""
        await _close(self.workflow.models)


async def _close(models: Mapping[str, Model]) -> None:
    for model in models.values():
        await model.close()


def _forget(models: Mapping[str, Model]) -> None:
    """What the examples made the models count was nobody's request."""
    for model in models.values():
        for counted in fields(ModelStats()):
            setattr(model.stats, counted.name, getattr(ModelStats(), counted.name))


async def load_workflow(
    bundle: Bundle,
    serving: Serving,
    *,
    model_server: ModelServer | None = None,
    requires: Requires | None = None,
    progress: Progress = quiet,
) -> LoadedWorkflow:
    """The bundle's workflow, ready: its requirements, card, schemas and golden examples hold, and it is warm.

    What blocks runs in threads, so that the loop keeps answering probes. Raises a `StartError`.
    """
    manifest = bundle.manifest
    check_requirements(manifest)
    check_card(manifest.card, requires or Requires())
    entry = await apart(load_entry, bundle.folder, manifest)
    models = await apart(load_models, bundle.folder, manifest, serving.batching, model_server)
    try:
        workflow = _create(entry, bundle, models)
        await _set_up(workflow, models, bundle)
        _check_model(workflow, manifest)
        check_schemas(workflow, bundle)
        reference = read_reference(workflow, bundle)
        await apart(_warm, workflow, serving)
        runner = Examples(workflow)
        await warm_up(runner, bundle, progress)
        golden = await check_golden(runner, bundle, progress)
    except BaseException:
        await _close(models)
        raise
    _forget(models)
    return LoadedWorkflow(workflow, golden, runner.asked, reference)


def check_card(card: Mapping[str, str], requires: Requires) -> None:
    """Raise `CardMismatch` naming every entry of the card that is not what the deployment requires."""
    wrong = [
        f"{name} is {card[name]!r}, required is {wanted!r}"
        if name in card
        else f"{name} is missing, required is {wanted!r}"
        for name, wanted in requires.card.items()
        if card.get(name) != wanted
    ]
    if wrong:
        raise CardMismatch(
            f"bundle.yaml: card: {'; '.join(wrong)}: deploy the bundle that was meant, or change requires"
        )


def _create(entry: object, bundle: Bundle, models: dict[str, Model]) -> Workflow:
    try:
        workflow = as_workflow(entry)
    except StartError:
        raise
    except (Exception, SystemExit) as error:  # foreign code
        raise WorkflowSetupFailed(f"{bundle.manifest.workflow}(): {explain(error, bundle.folder.resolve())}") from error
    workflow.models = models
    workflow.artifacts = artifacts(bundle.folder, bundle.manifest)
    return workflow


def artifacts(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """Absolute paths of the bundle's artifacts by name."""
    return {name: (folder / artifact.path).resolve() for name, artifact in manifest.artifacts.items()}


async def _set_up(workflow: Workflow, models: dict[str, Model], bundle: Bundle) -> None:
    try:
        waits = inspect.iscoroutinefunction(workflow.setup)
        done = workflow.setup(models) if waits else await apart(workflow.setup, models)
        if inspect.isawaitable(done):
            await done
    except StartError:
        raise
    except (Exception, SystemExit) as error:  # foreign code
        raise WorkflowSetupFailed(f"setup(): {explain(error, bundle.folder.resolve())}") from error


def _check_model(workflow: Workflow, manifest: Manifest) -> None:
    """What the workflow says of its model must fit the bundle."""
    if workflow.model is None:
        return
    if workflow.model not in workflow.models:
        known = ", ".join(manifest.models) or "no models"
        raise BundleInvalid(f"the workflow's model is {workflow.model!r}; bundle.yaml has {known}")
    if not workflow.feature_names:
        raise WorkflowSetupFailed("a workflow with a model needs feature_names, in the order of the model's input")


def _warm(workflow: Workflow, serving: Serving) -> None:
    """Run every model whose row length is known, at both ends of the batches that will occur."""
    rows = max(1, min(serving.concurrency, serving.batching.max_size))
    for name, model in workflow.models.items():
        names = workflow.feature_names if name == workflow.model else ()
        width = len(names) or model.width
        if width is not None:
            warm(model, width, rows, names)
