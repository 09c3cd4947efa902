"""The stages of a workflow, with the defaults for those that a model does not need."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, get_args, get_origin

from pydantic import BaseModel

from turnout_runtime.workflow.context import Context, InputT
from turnout_runtime.workflow.decision import Decision, DetailsT
from turnout_runtime.workflow.features import Features, as_row

if TYPE_CHECKING:
    from turnout_runtime.models import Model


class Workflow(ABC, Generic[InputT, DetailsT]):
    """One model's whole answer to a request: fetch, features, model, decide, in this order.

    `Workflow[Flight]` checks each request's context against the pydantic model `Flight`, which is then `ctx.input`;
    `Workflow[Flight, Delay]` also declares the model of `Decision.details`. Both become the bundle's schemas.

    One instance serves all requests of the pod, several at once, on one event loop: keep state of a request in the
    context or in local variables. Each stage may be `def` or `async def`. A `def` that is quick runs on the event loop,
    one that is slow in a thread: see `threaded` and `inline`.
    """

    model: str | None = None
    """Name in bundle.yaml's `models` of the trained step; None for a workflow without one."""

    feature_names: Sequence[str] = ()
    """Names of the features in the order of the model's input; the prediction log uses them."""

    decisions: Sequence[str] = ()
    """The strings that `decide` may return; empty for any."""

    safe_default: Decision[DetailsT] | None = None
    """The answer when a stage failed, nothing is cached, and `rules` has none."""

    models: "Mapping[str, Model]" = MappingProxyType({})
    """The bundle's loaded models by name; the runtime sets it before `setup`."""

    artifacts: Mapping[str, Path] = MappingProxyType({})
    """The bundle's other files by the name in bundle.yaml; the runtime sets it before `setup`."""

    context_model: ClassVar[type[BaseModel] | None] = None
    """The model of the request's context, from `Workflow[…]`."""

    details_model: ClassVar[type[BaseModel] | None] = None
    """The model of the decision's details, from `Workflow[…, …]`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Workflow):
                context, details = (_model(argument) for argument in get_args(base)[:2])
                cls.context_model = context or cls.context_model
                cls.details_model = details or cls.details_model

    def setup(self, models: "Mapping[str, Model]") -> Awaitable[None] | None:
        """Prepare once, after loading; an `async def` runs on the serving loop. Raising stops the start."""
        return None

    def fetch(self, ctx: Context[InputT]) -> Awaitable[None] | None:
        """Fetch facts with `await ctx.facts.fetch(name=key, …)`; by default none."""
        return None

    def features(self, ctx: Context[InputT]) -> "Features | Awaitable[Features]":
        """Compute the features from the request and its facts; by default none."""
        return ()

    def predict(self, ctx: Context[InputT], features: Features) -> float | Awaitable[float]:
        """The score of the features; by default that of `self.score`."""
        return self.score(ctx, features)

    async def score(self, ctx: Context[InputT], features: Features) -> float:
        """The model's score, batched with other requests of this moment; 0.0 for a workflow without a model."""
        if self.model is None:
            return 0.0
        return await self.models[self.model].score(as_row(self.feature_names, features), ctx.remaining())

    def refine(self, ctx: Context[InputT], score: float) -> Mapping[str, str | None] | None:
        """Keys of expensive facts that are wanted now that the score is known, or None to be content with it.

        With them, features and model run once more (`ctx.facts_pass` is 2). Short, without input or output.
        """
        return None

    @abstractmethod
    def decide(
        self, ctx: Context[InputT], score: float
    ) -> Decision[DetailsT] | Awaitable[Decision[DetailsT]] | AsyncIterator[Any]:
        """Turn the score into the business answer.

        An `async def` that yields streams to callers that want it: JSON-able chunks, and at last the decision.
        """

    def rules(self, ctx: Context[InputT], error: Exception) -> Decision[DetailsT] | None:
        """The answer when a stage failed or its time is over; None leaves it to `safe_default`. Short, no waiting."""
        return None


def _model(argument: object) -> type[BaseModel] | None:
    return argument if isinstance(argument, type) and issubclass(argument, BaseModel) else None


def overrides(workflow: Workflow, stage: str) -> bool:
    """Whether the workflow has a stage of its own, so that the default need not run."""
    return getattr(getattr(workflow, stage), "__func__", None) is not getattr(Workflow, stage)
