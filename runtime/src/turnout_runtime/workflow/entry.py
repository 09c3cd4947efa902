"""From what a bundle's entry point names to a workflow that keeps the interface."""

import inspect

from turnout_runtime.errors import WorkflowError, WorkflowImportError, WorkflowSetupFailed
from turnout_runtime.workflow.base import Workflow
from turnout_runtime.workflow.decision import Contract
from turnout_runtime.workflow.functions import STAGES, Functions
from turnout_runtime.workflow.threads import placement

_SYNC = ("refine", "rules")
_IN_THREADS = ("fetch", "features", "predict", "decide")


def is_workflow(obj: object) -> bool:
    """Whether `as_workflow` takes it: a subclass or an instance of `Workflow`, or what `stages()` gives."""
    return isinstance(obj, Workflow | Functions) or (
        isinstance(obj, type) and issubclass(obj, Workflow) and not inspect.isabstract(obj)
    )


def as_workflow(obj: object) -> Workflow:
    """The workflow of an entry point: a class is instantiated, functions are put together.

    Raises `WorkflowImportError` for anything else, `WorkflowSetupFailed` where it breaks the interface, and whatever
    the class's own constructor raises.
    """
    if isinstance(obj, type) and issubclass(obj, Workflow):
        if missing := sorted(getattr(obj, "__abstractmethods__", ())):
            raise WorkflowImportError(f"{obj.__name__} has no {', '.join(missing)}()")
        obj = obj()
    elif isinstance(obj, Functions):
        obj = obj.workflow()
    if not isinstance(obj, Workflow):
        raise WorkflowImportError(
            f"the entry point is {type(obj).__name__}; it must be a class that extends turnout_runtime.Workflow, or"
            " the stages() of a workflow"
        )
    check(obj)
    return obj


def contract(workflow: Workflow) -> Contract:
    """What its decisions are checked against."""
    return Contract(tuple(workflow.decisions), workflow.details_model)


def check(workflow: Workflow) -> None:
    """Raise `WorkflowSetupFailed` naming the attribute or stage that cannot work, before any request meets it."""
    for name in ("feature_names", "decisions"):
        _check_names(name, getattr(workflow, name))
    if workflow.safe_default is not None:
        try:
            contract(workflow).checked(workflow.safe_default)
        except WorkflowError as error:
            raise WorkflowSetupFailed(f"safe_default: {error}") from None
    for stage in STAGES:
        _check_kind(stage, getattr(workflow, stage))


def _check_names(name: str, value: object) -> None:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(n, str) for n in value):
        raise WorkflowSetupFailed(f"{name} must be a tuple or list of strings")
    if twice := sorted({n for n in value if value.count(n) > 1}):
        raise WorkflowSetupFailed(f"{name} has {twice[0]!r} more than once")


def _check_kind(stage: str, function: object) -> None:
    if not callable(function):
        raise WorkflowSetupFailed(f"{stage} is {type(function).__name__}, not a function")
    if inspect.isgeneratorfunction(function) or (stage != "decide" and inspect.isasyncgenfunction(function)):
        raise WorkflowSetupFailed(f"{stage}() yields; only an `async def decide` may")
    if stage in _SYNC and inspect.iscoroutinefunction(function):
        raise WorkflowSetupFailed(f"{stage}() must be a plain def: it is short and waits for nothing")
    waits = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if placement(function) == "thread" and (waits or stage not in _IN_THREADS):
        raise WorkflowSetupFailed(f"{stage}() cannot be @threaded: only a plain def of {', '.join(_IN_THREADS)} can")
