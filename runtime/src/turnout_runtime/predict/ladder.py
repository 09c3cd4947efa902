"""What answers a request when its workflow cannot: a remembered answer, rules, a safe default, in this order.

Facts have their own rung before it: stale and declared values, which the workflow gets as if nothing had happened.
"""

import logging

from turnout_runtime.errors import RequestError
from turnout_runtime.predict.cache import AnswersByKey
from turnout_runtime.predict.prediction import Prediction, word
from turnout_runtime.telemetry.throttle import Throttle
from turnout_runtime.workflow import Context, Decision, Workflow
from turnout_runtime.workflow.base import overrides
from turnout_runtime.workflow.decision import Contract

_log = logging.getLogger("turnout.predict")


class Ladder:
    """The rungs that a workflow offers below its own answer."""

    def __init__(self, workflow: Workflow, contract: Contract, cache: AnswersByKey | None) -> None:
        self._cache = cache
        self._rules = workflow.rules if overrides(workflow, "rules") else None
        self._default = workflow.safe_default and contract.checked(workflow.safe_default)
        self._contract = contract
        self._throttle = Throttle()

    def catch(self, ctx: Context, prediction: Prediction, error: Exception) -> None:
        """Answer in place of a workflow that failed with `error`; raises it when there is no rung left."""
        rung = self._step(ctx, prediction, error)
        if rung is None:
            raise error
        prediction.fallback, prediction.fallback_reason = rung, word(error)
        self._tell(f"answered by fallback: {rung}", prediction, error)

    def _step(self, ctx: Context, prediction: Prediction, error: Exception) -> str | None:
        if self._cache is not None and prediction.cache_key and self._cache.stale(prediction.cache_key, prediction):
            return "cached"
        if self._rules is not None and (decision := self._ruled(ctx, prediction, error)) is not None:
            prediction.decision = decision
            return "rules"
        if self._default is not None:
            prediction.decision = self._default
            return "default"
        return None

    def _ruled(self, ctx: Context, prediction: Prediction, error: Exception) -> Decision | None:
        assert self._rules is not None
        try:
            decision = self._rules(ctx, error)
            return None if decision is None else self._contract.checked(decision)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as failure:  # foreign code: the next rung is there for this
            self._tell("rules() failed", prediction, failure)
            return None

    def _tell(self, message: str, prediction: Prediction, error: BaseException) -> None:
        if self._throttle.allows(f"{message}: {word(error)}"):
            fields = {"prediction_id": prediction.prediction_id, "reason": word(error)}
            _log.warning(message, exc_info=None if isinstance(error, RequestError) else error, extra=fields)


def settle(ctx: Context, prediction: Prediction) -> None:
    """Mark a workflow's own answer with what it rests on, the gravest first."""
    assert prediction.decision is not None
    facts = ctx.facts
    if ctx.fallback_step is not None:
        prediction.fallback = ctx.fallback_step
    elif facts.settled and facts.fallback_used:
        prediction.fallback, prediction.fallback_reason = "facts", _reasons(ctx, "fallback")
    elif facts.settled and facts.stale_used:
        prediction.fallback, prediction.fallback_reason = "stale_facts", _reasons(ctx, "stale")
    elif prediction.decision.fallback_used:
        prediction.fallback = "workflow"


def _reasons(ctx: Context, source: str) -> str:
    return ", ".join(f"{name}: {fact.reason}" for name, fact in ctx.facts.settled.items() if fact.source == source)
