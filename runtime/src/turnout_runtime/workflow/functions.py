"""Workflows written as functions instead of a class.

flow = stages(model="delay", feature_names=["hour", "distance"], context=Flight)

@flow.features
def features(ctx): ...

@flow.decide
def decide(ctx, score): ...
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from turnout_runtime.errors import WorkflowImportError
from turnout_runtime.workflow.base import Workflow
from turnout_runtime.workflow.context import Context
from turnout_runtime.workflow.decision import Decision

F = TypeVar("F", bound=Callable[..., Any])
STAGES = ("setup", "fetch", "features", "predict", "refine", "decide", "rules")


class Functions:
    """Collects the stages of one workflow; each decorator gives its function back unchanged.

    Bundles name it as their entry point. The functions take what `Workflow`'s methods take, without `self`.
    """

    def __init__(self, attributes: dict[str, Any]) -> None:
        self._attributes = attributes
        self._functions: dict[str, Callable[..., Any]] = {}

    def setup(self, function: F) -> F:
        """`setup(models)`: see `Workflow.setup`."""
        return self._take("setup", function)

    def fetch(self, function: F) -> F:
        """`fetch(ctx)`: see `Workflow.fetch`."""
        return self._take("fetch", function)

    def features(self, function: F) -> F:
        """`features(ctx)`: see `Workflow.features`."""
        return self._take("features", function)

    def predict(self, function: F) -> F:
        """`predict(ctx, features)`: see `Workflow.predict`."""
        return self._take("predict", function)

    def refine(self, function: F) -> F:
        """`refine(ctx, score)`: see `Workflow.refine`."""
        return self._take("refine", function)

    def decide(self, function: F) -> F:
        """`decide(ctx, score)`: see `Workflow.decide`."""
        return self._take("decide", function)

    def rules(self, function: F) -> F:
        """`rules(ctx, error)`: see `Workflow.rules`."""
        return self._take("rules", function)

    def _take(self, stage: str, function: F) -> F:
        if stage in self._functions:
            raise WorkflowImportError(f"@{stage} is used twice: {self._functions[stage].__name__}, {function.__name__}")
        self._functions[stage] = function
        return function

    def workflow(self) -> Workflow:
        """A new workflow of the functions; raises `WorkflowImportError` when `decide` is missing."""
        if "decide" not in self._functions:
            raise WorkflowImportError("stages() needs a function under @decide")
        flow = _Composed()
        for name, value in {**self._attributes, **self._functions}.items():
            setattr(flow, name, value)
        return flow


class _Composed(Workflow):
    """The methods are shadowed by functions of the instance."""

    def decide(self, ctx: Context, score: float) -> Decision:
        raise AssertionError  # Functions.workflow() sets another one


def stages(
    *,
    model: str | None = None,
    feature_names: Sequence[str] = (),
    context: type[BaseModel] | None = None,
    details: type[BaseModel] | None = None,
    decisions: Sequence[str] = (),
    safe_default: Decision | None = None,
) -> Functions:
    """A workflow to be made of functions; the arguments are `Workflow`'s attributes and type parameters."""
    return Functions(
        {
            "model": model,
            "feature_names": tuple(feature_names),
            "context_model": context,
            "details_model": details,
            "decisions": tuple(decisions),
            "safe_default": safe_default,
        }
    )
