"""The stages of one workflow in their order, each within its part of the request's time."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from math import inf
from typing import Any

from turnout_runtime.config import Budget
from turnout_runtime.errors import InvalidRequest, WorkflowError
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.stage import Stage, Threads
from turnout_runtime.workflow import Context, Decision, Features, Workflow
from turnout_runtime.workflow.base import overrides
from turnout_runtime.workflow.decision import finite
from turnout_runtime.workflow.entry import contract
from turnout_runtime.workflow.features import as_named, as_row

Emit = Callable[[Any], Awaitable[None]]
_SLOW = "_turnout_slow_stages"  # on the workflow itself, which outlives its dataplanes
_GRACE = 0.005  # seconds, and turns of the event loop, in which facts that time out fall back by themselves:
_TURNS = 8  # only a workflow that waits for something else is cut


class Pipeline:
    """Runs facts, features, model and decide; stages that the workflow leaves out cost nothing."""

    def __init__(self, workflow: Workflow, expiry: Expiry, budget: Budget) -> None:
        self.contract = contract(workflow)
        self.threads = Threads(vars(workflow).setdefault(_SLOW, set()))
        self._workflow, self._budget = workflow, budget
        self._names = workflow.feature_names
        self._fetch, self._features, self._predict = map(self._own, ("fetch", "features", "predict"))
        self._refine = workflow.refine if overrides(workflow, "refine") else None
        self._decide = Stage("decide", workflow.decide, self.threads)
        self._working, self._deciding = expiry, Expiry(expiry.timeout)
        self._fetching, self._inferring = Expiry(stage="facts", turns=_TURNS), Expiry(stage="inference")
        waits = self._fetch or self._predict or self._refine or budget.inference_seconds is not None
        self.light = not waits
        """Whether its requests wait for nothing but the model, as far as anybody knows."""

    def _own(self, name: str) -> Stage | None:
        """A stage that the workflow has itself; the default of `predict` may also go by a `score` of its own."""
        own = overrides(self._workflow, name) or (name == "predict" and overrides(self._workflow, "score"))
        return Stage(name, getattr(self._workflow, name), self.threads) if own else None

    async def run(self, ctx: Context, prediction: Prediction, emit: Emit | None) -> None:
        """Answer the request; raises whatever a stage raises, and `RequestTimeout`."""
        if prediction.turn is not None and not self.light:
            await self._leave(prediction)
        if prediction.turn is not None:
            score = await self._score(ctx, prediction)  # the model keeps to the limit by itself
        else:
            with self._working.until(prediction.limit):
                score = await self._score(ctx, prediction)
        began = prediction.enter("decide")
        decision = self._decide(ctx, score)
        if type(decision) is not Decision:
            await self._leave(prediction)
            with self._deciding.until(prediction.deadline):
                decision = await _decision(decision, emit)
        self._spent(prediction, "postprocess", self._budget.postprocess_seconds, began)
        prediction.decision = self.contract.checked(decision)

    async def _score(self, ctx: Context, prediction: Prediction) -> float:
        """Facts, features and model, and once more when `refine` wants more facts.

        All in one coroutine: each that lies in between costs every request about as much as reading the clock.
        """
        assert prediction.request is not None
        if prediction.request.features is not None:
            return await self._precomputed(ctx, prediction, prediction.request.features)
        if self._fetch is not None:
            await self._facts(prediction, self._fetch, ctx)
        while True:
            prediction.passes += 1
            prediction.enter("features")
            features: Features = ()
            if self._features is not None:
                features = self._features(ctx)
                if type(features) is not list and hasattr(features, "__await__"):
                    features = await self._waited(prediction, features)
            prediction.features = as_named(self._names, features)
            score = await self._model(ctx, prediction, features)
            if self._refine is None or prediction.passes == 2 or not (wanted := self._refine(ctx, score)):
                return score
            ctx.facts_pass = 2
            prediction.row = None
            await self._facts(prediction, ctx.facts.fetch, **wanted)

    async def _waited(self, prediction: Prediction, features: Awaitable[Features]) -> Features:
        if prediction.turn is None:
            return await features
        await self._leave(prediction)
        with self._working.until(prediction.limit):
            return await features

    async def _leave(self, prediction: Prediction) -> None:
        """Something is waited for that is not the model: what has no task gets one, and from now on all do."""
        if prediction.turn is not None:
            self.light = False
            await prediction.leave()

    async def _precomputed(self, ctx: Context, prediction: Prediction, row: list[float]) -> float:
        if len(row) != len(self._names):
            raise InvalidRequest(f"features: must be the {len(self._names)} of this workflow, not {len(row)}")
        prediction.passes = 1
        prediction.features = as_named(self._names, row)
        return await self._model(ctx, prediction, row)

    async def _facts(self, prediction: Prediction, fetch: Callable[..., Any], /, *args: Any, **keys: Any) -> None:
        began = prediction.enter("facts")
        budget = self._budget.facts_seconds
        if budget is None:
            prediction.facts_limit = prediction.limit
            if (fetching := fetch(*args, **keys)) is not None:
                await fetching
            return
        prediction.facts_limit = min(began + budget, prediction.limit)
        try:
            with self._fetching.until(prediction.facts_limit + _GRACE):
                if (fetching := fetch(*args, **keys)) is not None:
                    await fetching
        finally:
            self._spent(prediction, "facts", budget, began)

    def _model(self, ctx: Context, prediction: Prediction, features: Features) -> Awaitable[float]:
        began = prediction.enter("model")
        if began >= prediction.limit:
            raise self._working.error()
        budget = self._budget.inference_seconds
        if budget is not None:
            return self._within_budget(ctx, prediction, features, began, budget)
        return self._infer(ctx, prediction, features, prediction.limit - began)

    async def _within_budget(
        self, ctx: Context, prediction: Prediction, features: Features, began: float, budget: float
    ) -> float:
        try:
            with self._inferring.until(began + budget):
                return await self._infer(ctx, prediction, features, min(budget, prediction.limit - began))
        finally:
            self._spent(prediction, "inference", budget, began)

    async def _infer(self, ctx: Context, prediction: Prediction, features: Features, remaining: float) -> float:
        if self._predict is not None:
            result = self._predict(ctx, features)
            return finite("predict()", await result if hasattr(result, "__await__") else result)
        name = self._workflow.model
        if name is None:
            return 0.0
        model = self._workflow.models[name]
        row, left, turn = as_row(self._names, features), None if remaining == inf else remaining, prediction.turn
        prediction.row = row
        if turn is None:
            score = await model.score(row, left)
        else:
            model.tell(turn.expect(), row, left)
            score = await turn
        prediction.batch_size = model.stats.last_batch
        return score

    def _spent(self, prediction: Prediction, name: str, budget: float | None, began: float) -> None:
        if budget is not None and time.perf_counter() - began > budget:
            prediction.exceed(name)


async def _decision(result: Any, emit: Emit | None) -> object:
    """The decision that a `decide` comes to, its chunks sent on their way; None when it yields none."""
    if hasattr(result, "__await__"):
        result = await result
    return await _last(result, emit) if hasattr(result, "__aiter__") else result


async def _last(items: AsyncIterator[Any], emit: Emit | None) -> object:
    last: object = None
    try:
        async for item in items:
            if isinstance(last, Decision):
                raise WorkflowError("decide() yields after its Decision")
            last = item
            if emit is not None and not isinstance(item, Decision):
                await emit(item)
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()  # what it holds must not wait for the garbage collector
    return last
