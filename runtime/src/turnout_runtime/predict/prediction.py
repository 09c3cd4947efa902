"""Everything that one request leaves behind, filled in as it goes through the stages."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson

from turnout_runtime.errors import (
    BodyTooLarge,
    Draining,
    InvalidRequest,
    Overloaded,
    RequestError,
    RequestIdReused,
    RequestTimeout,
    StageTimeout,
)
from turnout_runtime.facts import Fact
from turnout_runtime.predict.route import Route
from turnout_runtime.predict.turn import Turn
from turnout_runtime.workflow import Decision, Request
from turnout_runtime.workflow.features import Row

Status = Literal["ok", "shed", "timeout", "error", "invalid"]
Stage = Literal["queue", "facts", "features", "model", "decide"]
CacheStatus = Literal["hit", "miss", "stale"]
STAGES: tuple[Stage, ...] = ("queue", "facts", "features", "model", "decide")
_NO_FACTS: Mapping[str, Fact] = {}
_NO_STAGES: Mapping[Stage, float] = {}

Sink = Callable[["Prediction"], None]
"""What becomes of a finished prediction; must not raise."""


class Prediction:
    """One request's way. Moments (`started`, `deadline`, …) are seconds of the performance counter.

    What is not set yet is the class's own value: a request pays only for what happens to it.
    """

    deadline: float = float("inf")
    """When the answer must be there."""
    limit: float = float("inf")
    """When facts and model must be done, so that time to decide is left."""
    facts_limit: float = float("inf")
    """When the facts of the current pass must be there."""

    status: Status = "ok"
    error: BaseException | None = None
    request: Request | None = None
    context_json: bytes | None = None
    """The request's context as it came, whatever the workflow does to it."""
    refs_json: bytes | None = None
    """The same of its feature_refs; None when there are none."""
    facts: Mapping[str, Fact] = _NO_FACTS
    features: Mapping[str, float] | None = None
    row: "Row | None" = None
    """The features as the model got them: the quickest way to count them."""
    passes: int = 0
    """How often features and model ran: 2 after `refine`, 0 when the answer was remembered or there is none."""
    batch_size: int | None = None
    decision: Decision | None = None
    fallback: str | None = None
    """Which fallback the answer rests on: a rung of the ladder, `facts`, `stale_facts`, or the workflow's own step;
    `arm` where another arm should have answered, which is then the reason."""
    fallback_reason: str | None = None
    exceeded: tuple[str, ...] = ()
    """Budgets that were exceeded: facts, inference, postprocess."""
    cache_key: bytes | None = None
    cache: CacheStatus | None = None
    cache_age: float | None = None
    """Seconds since the remembered answer was made."""
    stages: Mapping[Stage, float] = _NO_STAGES
    """Seconds spent in each stage that was reached, also one that was cut short; known once it is finished."""
    total: float = 0.0
    turn: "Turn[Any] | None" = None
    """What drives the request while it has no task."""
    span: Any = None
    """What a tracer keeps between the request's begin and its end."""

    def __init__(self, route: Route, prediction_id: str, time_ns: int, started: float) -> None:
        self.route = route
        self.prediction_id = prediction_id
        self.time_ns = time_ns
        self.started = started
        self.marks: list[tuple[Stage, float]] = []
        """Stages in the order in which they began, and when."""
        if route.fallback_from is not None:
            self.fallback, self.fallback_reason = "arm", route.fallback_from

    def accept(self, request: Request) -> None:
        """Take the parsed request; raises `InvalidRequest` for what cannot be logged, such as a bottomless nesting."""
        self.request = request
        self.context_json = _encoded("context", request.context)
        if request.feature_refs:
            self.refs_json = _encoded("feature_refs", request.feature_refs)

    @property
    def details(self) -> Any:
        """The decision's details as JSON holds them."""
        return self.decision and self.decision.details

    @property
    def fallback_used(self) -> bool:
        """Whether the answer rests on any fallback."""
        return self.fallback is not None

    async def leave(self) -> None:
        """Go on in a task, where there is none yet."""
        if self.turn is not None:
            await self.turn.leave()
            self.turn = None

    def remaining(self) -> float:
        """Seconds until the answer must be there; negative when that is past."""
        return self.deadline - time.perf_counter()

    def facts_remaining(self) -> float:
        """Seconds that are left to fetch facts."""
        return self.facts_limit - time.perf_counter()

    def enter(self, stage: Stage) -> float:
        """The current stage ends here and the next one begins; says when."""
        now = time.perf_counter()
        self.marks.append((stage, now))
        return now

    def exceed(self, budget: str) -> None:
        """This part of the time was not enough."""
        if budget not in self.exceeded:
            self.exceeded = (*self.exceeded, budget)

    def fail(self, error: BaseException) -> None:
        """It ends with this error."""
        self.error, self.status = error, _status(error)
        if isinstance(error, RequestError):
            # Nobody reads the traceback of what is expected, and it would keep the whole request alive in a cycle:
            # under overload that is what fills the memory.
            error.__traceback__ = error.__cause__ = error.__context__ = None

    def finish(self) -> None:
        """Nothing more happens."""
        end = time.perf_counter()
        self.total = end - self.started
        if self.marks:
            stages: dict[Stage, float] = {}
            last, since = self.marks[0]
            for stage, began in self.marks:
                stages[last] = stages.get(last, 0.0) + began - since
                last, since = stage, began
            stages[last] = stages.get(last, 0.0) + end - since
            self.stages = stages

    @property
    def error_type(self) -> str | None:
        """What went wrong, in a word: see `word`."""
        return None if self.error is None else word(self.error)


def _encoded(field: str, value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise InvalidRequest(f"{field}: {error}") from None


def word(error: BaseException) -> str:
    """An error in a word: a problem's slug, the cause of a shed request, or an exception's class."""
    if isinstance(error, Overloaded):
        return error.cause
    if isinstance(error, StageTimeout):
        return f"{error.stage}-timeout"
    return error.slug if isinstance(error, RequestError) else type(error).__name__


def _status(error: BaseException) -> Status:
    match error:
        case Overloaded() | Draining():
            return "shed"
        case RequestTimeout():
            return "timeout"
        case InvalidRequest() | BodyTooLarge() | RequestIdReused():
            return "invalid"
        case _:
            return "error"
