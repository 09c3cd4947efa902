"""Takes one request through its workflow, within the pod's limits; every request leaves one prediction."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from turnout_runtime.config import Budget
from turnout_runtime.errors import InvalidRequest, RequestError, TurnoutError, WorkflowError
from turnout_runtime.facts import FactRule, Facts, Scope
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.cache import AnswersByKey
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.ids import Ids
from turnout_runtime.predict.ladder import Ladder, settle
from turnout_runtime.predict.pipeline import Emit, Pipeline
from turnout_runtime.predict.prediction import Prediction, Sink
from turnout_runtime.predict.replays import Replays, digest_of
from turnout_runtime.predict.request import Document, parse_context, parse_document, parse_request
from turnout_runtime.predict.route import Route
from turnout_runtime.predict.turn import Turn
from turnout_runtime.telemetry.throttle import Throttle
from turnout_runtime.workflow import Context, Workflow

_log = logging.getLogger("turnout.predict")
_NO_RULES: Mapping[str, FactRule] = {}
_NO_FACTS = Facts(_NO_RULES, Scope(0, lambda: 0.0))  # shared: where none are declared, none are ever settled
_NO_BUDGET = Budget()
_LEAST_RESERVE = 0.005  # seconds, or a twentieth of a short timeout: what is left to answer when facts or model hang


class CallerGone(TurnoutError):
    """The caller closed the connection before there was an answer."""


class Dataplane:
    """What is behind every interface: HTTP, gRPC, a batch, an embedded workflow. Without limits by default."""

    def __init__(
        self,
        *,
        workflow: Workflow,
        facts: Mapping[str, FactRule] = _NO_RULES,
        admission: Admission | None = None,
        expiry: Expiry | None = None,
        ids: Ids | None = None,
        sink: Sink | None = None,
        budget: Budget = _NO_BUDGET,
        cache: AnswersByKey | None = None,
        idempotency: Replays | None = None,
    ) -> None:
        """The workflow's models must be set. A `sink`, and a `tracer` that sees requests begin, may be set later."""
        self.workflow, self.facts = workflow, facts
        self.admission, self.cache, self.idempotency = admission, cache, idempotency
        self.expiry = expiry = expiry or Expiry()
        self._ids, self.sink = ids or Ids(""), sink
        self.tracer: Sink | None = None
        self._reserve = budget.postprocess_seconds or min(_LEAST_RESERVE, expiry.timeout / 20)
        self._pipeline = Pipeline(workflow, expiry, budget)
        self._ladder = Ladder(workflow, self._pipeline.contract, cache)
        self._context_model = workflow.context_model
        self._throttle = Throttle()

    async def predict(
        self,
        route: Route,
        body: bytes | Document,
        *,
        started: float | None = None,
        time_ns: int | None = None,
        emit: Emit | None = None,
        turn: Turn[Any] | None = None,
    ) -> Prediction:
        """Answer a request, and hand the finished prediction to the sink; a replay is the first one's prediction.

        `body` is JSON, or a document that is parsed already. `started` is when the request's headers came (performance
        counter): its time counts from there. `time_ns` is its time in the world, by default now. `emit` gets the
        chunks of a workflow that streams. `turn` drives the request where it has no task yet.
        Never raises but `CancelledError`, when the caller has gone; what went wrong is in the prediction.
        """
        prediction = self._begin(route, started, time_ns)
        if turn is not None:
            prediction.turn = turn
        try:
            document = parse_document(body)
            prediction.accept(parse_request(document, route))
            if self.idempotency is None or document.get("request_id") is None:
                await self._answer(prediction, emit)
            elif (first := await self._once(self.idempotency, digest_of(document), prediction, emit)) is not None:
                return first
        except asyncio.CancelledError:
            prediction.fail(CallerGone())
            self._finish(prediction)
            raise
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # the workflow is foreign code: whatever it raises ends this request only
            prediction.fail(_ordinary(error))
        self._finish(prediction)
        return prediction

    def refuse(self, route: Route, error: RequestError, started: float | None = None) -> Prediction:
        """The prediction of a request that a door turned away; `started` as in `predict`."""
        prediction = self._begin(route, started, None)
        prediction.fail(error)
        self._finish(prediction)
        return prediction

    def overloaded(self, coming: int = 0) -> bool:
        """Whether a request that came now would be shed, with so many on their way here before it."""
        return self.admission is not None and self.admission.full(coming)

    def close(self) -> None:
        """Give up the threads of slow stages."""
        self._pipeline.threads.close()

    def _begin(self, route: Route, started: float | None, time_ns: int | None) -> Prediction:
        now = time.time_ns() if time_ns is None else time_ns
        prediction = Prediction(route, self._ids.new(now), now, time.perf_counter() if started is None else started)
        allowed, reserve = self.expiry.timeout, self._reserve
        if route.timeout is not None and route.timeout < allowed:
            allowed = route.timeout
            reserve = min(reserve, allowed / 2)
        if allowed < math.inf:
            prediction.deadline = prediction.started + allowed
            prediction.limit = prediction.facts_limit = prediction.deadline - reserve
        if self.tracer is not None:
            self.tracer(prediction)
        return prediction

    def _finish(self, prediction: Prediction) -> None:
        prediction.finish()
        for budget in prediction.exceeded:
            if self._throttle.allows(budget):
                fields = {"budget": budget, "prediction_id": prediction.prediction_id}
                _log.warning("a part of the request's time was not enough", extra=fields)
        if self.sink is not None:
            self.sink(prediction)

    async def _once(
        self, replays: Replays, digest: bytes, prediction: Prediction, emit: Emit | None
    ) -> Prediction | None:
        assert prediction.request is not None
        await prediction.leave()
        route = prediction.route
        key = route.objective, route.shadow, prediction.request.request_id
        with self.expiry.until(prediction.limit):
            first = await replays.first(key, digest)
        if first is not None:
            return first
        answered = False
        try:
            await self._answer(prediction, emit)
            answered = True
        finally:
            replays.settle(key, prediction if answered else None)
        return None

    async def _answer(self, prediction: Prediction, emit: Emit | None) -> None:
        request, context, typed = prediction.request, prediction.context_json, None
        assert request is not None
        assert context is not None
        if self._context_model is not None and (request.context or request.features is None):
            typed = parse_context(self._context_model, context)
        if self.cache is not None and (key := self.cache.key(prediction.route, request)) is not None:
            prediction.cache_key = key
            if self.cache.fresh(key, prediction):
                return
        prediction.enter("queue")
        admission = self.admission
        if admission is None:
            await self._run(prediction, typed, emit)
            return
        if not admission.try_enter():
            await admission.wait(prediction.turn, prediction.limit - prediction.marks[-1][1], self.expiry.error)
        try:
            await self._run(prediction, typed, emit)
        finally:
            admission.leave()

    async def _run(self, prediction: Prediction, typed: BaseModel | None, emit: Emit | None) -> None:
        ctx = self._context(prediction, typed)
        try:
            await self._pipeline.run(ctx, prediction, emit)
        except InvalidRequest:
            raise
        except asyncio.CancelledError:
            if _cancelled(prediction):
                raise
            self._ladder.catch(ctx, prediction, WorkflowError("the workflow awaits something that was cancelled"))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self._ladder.catch(ctx, prediction, _ordinary(error))
        else:
            settle(ctx, prediction)
            if self.cache is not None and prediction.cache_key is not None:
                self.cache.keep(prediction.cache_key, prediction)

    def _context(self, prediction: Prediction, typed: BaseModel | None) -> Context:
        request, route, workflow = prediction.request, prediction.route, self.workflow
        assert request is not None
        time_ns, facts = prediction.time_ns, _NO_FACTS
        if self.facts:
            left, trace = prediction.facts_remaining, route.traceparent
            facts = Facts(self.facts, Scope(time_ns, left, trace, request.feature_refs, route.tracestate))
            prediction.facts = facts.settled
        return Context(
            request,
            facts,
            prediction.remaining,
            route.arm,
            route.policy_version,
            input=typed,
            models=workflow.models,
            artifacts=workflow.artifacts,
            shadow=route.shadow,
            time_ns=time_ns,
        )


def _ordinary(error: BaseException) -> Exception:
    """An error that ends a request, also for what would end the process: sys.exit(), or a panic of an extension."""
    return error if isinstance(error, Exception) else WorkflowError(f"the workflow raised {type(error).__name__}")


def _cancelled(prediction: Prediction) -> bool:
    """Whether somebody cancels this request, and not just a future that its workflow awaits."""
    if prediction.turn is not None:
        return prediction.turn.cancelled
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
