"""Everything a workflow knows about the request it answers."""

import logging
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from turnout_runtime.errors import WorkflowError
from turnout_runtime.facts import Facts
from turnout_runtime.workflow.decision import check_text

if TYPE_CHECKING:
    from turnout_runtime.models import Model

InputT = TypeVar("InputT", default=Any)

_log = logging.getLogger("turnout.workflow")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Request:
    """The caller's question. `context` is the business context as parsed from JSON; treat it as read-only.

    `features` is a precomputed row, in the order of `feature_names`, from a caller that sends one instead.
    """

    request_id: str
    entity_id: str | None
    feature_refs: Mapping[str, Any]
    context: Mapping[str, Any]
    features: list[float] | None = None


class Context(Generic[InputT]):
    """One request on its way through the stages.

    `facts_pass` is 2 while features and model run once more after `refine`. `shadow` says that nobody waits for the
    answer: the gateway copied the request to compare.
    """

    __slots__ = (
        *("_input", "_remaining", "arm", "artifacts", "facts", "facts_pass", "fallback_step", "models"),
        *("policy_version", "request", "shadow", "time_ns"),
    )

    def __init__(
        self,
        request: Request,
        facts: Facts,
        remaining: Callable[[], float],
        arm: str | None = None,
        policy_version: str | None = None,
        *,
        input: InputT | None = None,
        models: "Mapping[str, Model]" = _NOTHING,
        artifacts: Mapping[str, Path] = _NOTHING,
        shadow: bool = False,
        time_ns: int = 0,
    ) -> None:
        self.request = request
        self.facts = facts
        self.arm = arm
        self.policy_version = policy_version
        self.models = models
        self.artifacts = artifacts
        self.shadow = shadow
        self.time_ns = time_ns
        self.facts_pass = 1
        self.fallback_step: str | None = None
        self._input = input
        self._remaining = remaining

    @property
    def input(self) -> InputT:
        """The request's context as the model that the workflow declares; the raw mapping where it declares none."""
        return cast(InputT, self.request.context if self._input is None else self._input)

    @property
    def now(self) -> datetime:
        """When the request came, in UTC; offline the time of its row."""
        return _EPOCH + timedelta(microseconds=self.time_ns // 1000)

    def remaining(self) -> float:
        """Seconds left of the request's budget, never negative; infinite offline."""
        return max(0.0, self._remaining())

    def fallback(self, step: str) -> None:
        """Mark the answer as one that rests on a fallback of the workflow's own; `step` names it in the record.

        Raises `WorkflowError` for what is no name.
        """
        check_text("ctx.fallback(step)", step)
        if not step:
            raise WorkflowError("ctx.fallback(step): the name is empty")
        self.fallback_step = step

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that adds the request id to what `extra` holds; JSON lines on the pod's stderr."""
        return _RequestLog(_log, {"request_id": self.request.request_id})


class _RequestLog(logging.LoggerAdapter[logging.Logger]):
    """The standard library's own would replace the caller's `extra`."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, {**kwargs, "extra": {**kwargs.get("extra", {}), **(self.extra or {})}}
