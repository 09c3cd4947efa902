"""From a verified bundle to a workflow that is ready to answer."""

import asyncio
import inspect
import time
from dataclasses import dataclass

from turnout_runtime.bundle.code import explain, load_class
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import Batching, ModelServer
from turnout_runtime.errors import BundleInvalid, StartError, WorkflowSetupFailed
from turnout_runtime.models import Model
from turnout_runtime.models.load import load_models, warm
from turnout_runtime.workflow import Workflow


@dataclass(frozen=True, slots=True)
class LoadedWorkflow:
    """A workflow that was set up, and the seconds it took to load and warm its models."""

    workflow: Workflow
    model_seconds: float


async def load_workflow(
    bundle: Bundle, batch: int, batching: Batching | None = None, model_server: ModelServer | None = None
) -> LoadedWorkflow:
    """Import, load the models, set up, and run each model once; `batch` is the largest batch that will occur.

    What blocks runs in threads, so that the loop keeps answering probes. Raises a `StartError`.
    """
    cls = await asyncio.to_thread(load_class, bundle.folder, bundle.manifest)
    started = time.perf_counter()
    models = await asyncio.to_thread(load_models, bundle.folder, bundle.manifest, batching, model_server)
    workflow = _create(cls, bundle)
    workflow.models = models
    loading = time.perf_counter() - started
    await _set_up(workflow, models, bundle)
    started = time.perf_counter()
    await asyncio.to_thread(_warm, workflow, bundle, batch)
    return LoadedWorkflow(workflow, loading + time.perf_counter() - started)


def _create(cls: type[Workflow], bundle: Bundle) -> Workflow:
    try:
        return cls()
    except Exception as error:  # foreign code
        raise WorkflowSetupFailed(f"{bundle.manifest.workflow}(): {explain(error, bundle.folder.resolve())}") from error


def _warm(workflow: Workflow, bundle: Bundle, batch: int) -> None:
    """Check what the workflow says of its model, and run every model whose row length is known."""
    if workflow.model is not None and workflow.model not in workflow.models:
        known = ", ".join(bundle.manifest.models) or "no models"
        raise BundleInvalid(f"the workflow's model is {workflow.model!r}; bundle.yaml has {known}")
    if workflow.model is not None and not workflow.feature_names:
        raise WorkflowSetupFailed("a workflow with a model needs feature_names, in the order of the model's input")
    for name, model in workflow.models.items():
        width = len(workflow.feature_names) if name == workflow.model else model.width
        if width is not None:
            warm(model, width, batch)


async def _set_up(workflow: Workflow, models: dict[str, Model], bundle: Bundle) -> None:
    try:
        if inspect.iscoroutinefunction(workflow.setup):
            await workflow.setup(models)
        else:
            await asyncio.to_thread(workflow.setup, models)
    except StartError:
        raise
    except Exception as error:  # foreign code
        raise WorkflowSetupFailed(f"setup(): {explain(error, bundle.folder.resolve())}") from error
