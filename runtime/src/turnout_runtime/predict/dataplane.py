"""Takes one request through the workflow's stages, within the pod's limits; every request leaves one prediction."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from turnout_runtime.errors import TurnoutError
from turnout_runtime.facts import FactRule, Facts, Scope
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.prediction import Ids, Prediction
from turnout_runtime.predict.request import parse_request
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Context, Workflow
from turnout_runtime.workflow.decision import checked
from turnout_runtime.workflow.features import as_named

Sink = Callable[[Prediction], None]


class CallerGone(TurnoutError):
    """The caller closed the connection before there was an answer."""


@dataclass(frozen=True, slots=True)
class Dataplane:
    """What is behind every interface of the pod."""

    workflow: Workflow
    facts: Mapping[str, FactRule]
    admission: Admission
    expiry: Expiry
    ids: Ids
    sink: Sink

    async def predict(self, route: Route, read: Callable[[], Awaitable[bytes]]) -> Prediction:
        """Read the body with `read`, answer it, and hand the finished prediction to the sink.

        Never raises but `CancelledError`, when the caller has gone; what went wrong is in the prediction.
        """
        now = time.time_ns()
        prediction = Prediction(route, self.ids.new(now), now, time.perf_counter())
        try:
            await self._within_limits(prediction, read)
        except asyncio.CancelledError:
            prediction.fail(CallerGone())
            raise
        except Exception as error:  # the workflow is foreign code: whatever it raises ends this request only
            prediction.fail(error)
        finally:
            prediction.finish()
            self.sink(prediction)
        return prediction

    async def _within_limits(self, prediction: Prediction, read: Callable[[], Awaitable[bytes]]) -> None:
        with self.expiry.limit():
            prediction.accept(parse_request(await read(), prediction.route))
            prediction.enter("queue")
            if not self.admission.try_enter():
                await self.admission.wait()
            try:
                await self._run(prediction)
            finally:
                self.admission.leave()

    async def _run(self, prediction: Prediction) -> None:
        workflow, ctx = self.workflow, self._context(prediction)
        prediction.facts = ctx.facts.settled
        prediction.enter("facts")
        await workflow.fetch(ctx)
        prediction.enter("features")
        features = workflow.features(ctx)
        prediction.features = as_named(workflow.feature_names, features)
        prediction.enter("model")
        score = await workflow.predict(ctx, features)
        prediction.enter("decide")
        prediction.decision = decision = checked(workflow.decide(ctx, score))
        prediction.fallback_used = decision.fallback_used or ctx.facts.fallback_used

    def _context(self, prediction: Prediction) -> Context:
        deadline = prediction.started + self.expiry.timeout
        route = prediction.route

        def remaining() -> float:
            return deadline - time.perf_counter()

        request = prediction.request
        assert request is not None
        facts = Facts(self.facts, Scope(prediction.time_ns, remaining, caller=request.feature_refs))
        return Context(request, facts, remaining, route.arm, route.policy_version)
