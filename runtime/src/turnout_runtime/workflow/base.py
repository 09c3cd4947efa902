"""The stages of a workflow, with the defaults for those that a model does not need."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING

from turnout_runtime.workflow.context import Context
from turnout_runtime.workflow.decision import Decision
from turnout_runtime.workflow.features import Features, as_row

if TYPE_CHECKING:
    from turnout_runtime.models import Model


class Workflow(ABC):
    """One model's whole answer to a request: fetch, features, model, decide, in this order.

    One instance serves all requests of the pod, several at once, on one event loop: keep state of a request in the
    context or in local variables. `features` and `decide` are pure and short, since nothing else runs meanwhile.
    """

    model: str | None = None
    """Name in bundle.yaml's `models` of the trained step; None for a workflow without one."""

    feature_names: Sequence[str] = ()
    """Names of the features in the order of the model's input; the prediction log uses them."""

    models: Mapping[str, "Model"]
    """The bundle's loaded models by name; the runtime sets it before `setup`."""

    def setup(self, models: Mapping[str, "Model"]) -> Awaitable[None] | None:
        """Prepare once, after loading; an `async def` runs on the serving loop. Raising stops the start."""
        return None

    async def fetch(self, ctx: Context) -> None:
        """Fetch facts with `await ctx.facts.fetch(name=key, …)`; by default none."""
        return

    def features(self, ctx: Context) -> Features:
        """Compute the features from the request and its facts; by default none."""
        return ()

    async def predict(self, ctx: Context, features: Features) -> float:
        """The score of the features: the model's, batched with other requests of this moment; 0.0 without a model."""
        if self.model is None:
            return 0.0
        return await self.models[self.model].score(as_row(self.feature_names, features), ctx.remaining())

    @abstractmethod
    def decide(self, ctx: Context, score: float) -> Decision:
        """Turn the score into the business answer."""
