import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel
from tests.unit.runtime.predict.planes import ROUTE, body, plane

from turnout_runtime.errors import WorkflowError, WorkflowImportError, WorkflowSetupFailed
from turnout_runtime.facts import Facts, Scope
from turnout_runtime.workflow import Context, Decision, Features, Request, Workflow, stages, threaded
from turnout_runtime.workflow.decision import Contract
from turnout_runtime.workflow.entry import as_workflow, is_workflow


class Flight(BaseModel):
    carrier: str
    departure: datetime
    stops: list[str] = []


class Delay(BaseModel):
    minutes: float


class Typed(Workflow[Flight, Delay]):
    decisions = ("late", "on_time")
    feature_names = ("hour",)

    def features(self, ctx: Context[Flight]) -> Features:
        return [ctx.input.departure.hour]

    def decide(self, ctx: Context[Flight], score: float) -> Decision[Delay]:
        return Decision("late", score, 1.0, details=Delay(minutes=len(ctx.input.stops)))


class OnlyInput(Workflow[Flight]):
    def decide(self, ctx: Context[Flight], score: float) -> Decision:
        return Decision(ctx.input.carrier, score, 1.0)


class Heir(Typed):
    pass


class Untyped(Workflow):
    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("d", score, 1.0)


def _context() -> Context:
    return Context(Request("r-1", None, {}, {"a": 1}), Facts({}, Scope(0, lambda: -1.0)), lambda: -1.0)


def test_type_parameters_are_the_models() -> None:
    assert (Typed.context_model, Typed.details_model) == (Flight, Delay)
    assert (Heir.context_model, Heir.details_model) == (Flight, Delay)
    assert (OnlyInput.context_model, OnlyInput.details_model) == (Flight, None)
    assert (Untyped.context_model, Untyped.details_model) == (None, None)


async def test_a_typed_request_is_checked_and_given_as_its_model() -> None:
    one = plane([], Typed())
    question = body(carrier="UA", departure="2013-07-01T05:15:00Z", stops=["JFK", "LAX"])
    prediction = await one.predict(ROUTE, question)
    assert prediction.features == {"hour": 5}
    assert prediction.decision == Decision("late", 0.0, 1.0, details={"minutes": 2.0})
    assert prediction.details == {"minutes": 2.0}


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"departure": "2013-07-01T05:15:00Z"}, "context.carrier: Field required"),
        ({"carrier": "UA", "departure": "soon"}, "context.departure: Input should be a valid datetime"),
        ({"carrier": "UA", "departure": "2013-07-01T05:15:00Z", "stops": [1]}, "context.stops.0: "),
    ],
)
async def test_a_wrong_typed_request_names_the_field_and_not_its_value(context: dict[str, Any], told: str) -> None:
    prediction = await plane([], Typed(), concurrency=1).predict(ROUTE, body(**context))
    assert prediction.status == "invalid"
    assert str(prediction.error).startswith(told)
    assert "soon" not in str(prediction.error)
    assert dict(prediction.stages) == {}


def test_functions_make_the_same_workflow_as_a_class() -> None:
    flow = stages(
        model="m", feature_names=["x"], context=Flight, details=Delay, decisions=["a"],
        safe_default=Decision("a", 0.0, 0.0),
    )  # fmt: skip
    ran: list[str] = []

    @flow.setup
    def setup(models: Any) -> None:
        ran.append("setup")

    @flow.fetch
    async def fetch(ctx: Context) -> None:
        ran.append("fetch")

    @flow.features
    def features(ctx: Context) -> Features:
        return {"x": float(len(ctx.input.stops))}

    @flow.predict
    async def predict(ctx: Context, features: Any) -> float:
        return float(features["x"]) / 2

    @flow.refine
    def refine(ctx: Context, score: float) -> None:
        ran.append("refine")

    @flow.decide
    def decide(ctx: Context, score: float) -> Decision:
        return Decision("a" if score < 1 else "b", score, 1.0)

    @flow.rules
    def rules(ctx: Context, error: Exception) -> Decision:
        return Decision("a", -1.0, 0.0)

    workflow = as_workflow(flow)
    assert (workflow.context_model, workflow.details_model, workflow.model) == (Flight, Delay, "m")
    workflow.setup({})
    question = {"carrier": "UA", "departure": "2013-07-01T05:15:00Z"}
    one = plane([], workflow)
    own = asyncio.run(one.predict(ROUTE, body(**question, stops=["a"])))
    ruled = asyncio.run(one.predict(ROUTE, body(**question, stops=["a", "b"])))
    assert own.decision == Decision("a", 0.5, 1.0)
    assert (ruled.decision, ruled.fallback) == (Decision("a", -1.0, 0.0), "rules")  # "b" was not declared
    assert ran == ["setup", "fetch", "refine", "fetch", "refine"]
    assert (
        decide(Context(Request("r", None, {}, {}), Facts({}, Scope(0, lambda: 1.0)), lambda: 1.0), 2.0).decision == "b"
    )


def test_functions_leave_out_what_they_do_not_need() -> None:
    flow = stages()
    flow.decide(lambda ctx, score: Decision("d", score, 1.0))
    prediction = asyncio.run(plane([], as_workflow(flow)).predict(ROUTE, body()))
    assert prediction.decision == Decision("d", 0.0, 1.0)
    with pytest.raises(WorkflowImportError, match="@decide is used twice"):
        flow.decide(lambda ctx, score: None)


def _with(**attributes: Any) -> type[Workflow]:
    return type("Made", (Untyped,), attributes)


async def _async(self: Any, *_: Any) -> None: ...


def _plain_async() -> Any:
    async def stage(self: Any, *_: Any) -> None: ...

    return stage


def _generator(self: Any, *_: Any) -> Any:
    yield Decision("d", 0.0, 1.0)


async def _async_generator(self: Any, *_: Any) -> Any:
    yield Decision("d", 0.0, 1.0)


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"feature_names": "abc"}, "feature_names must be a tuple or list of strings"),
        ({"feature_names": ("a", "b", "a")}, "feature_names has 'a' more than once"),
        ({"decisions": ("a", 1)}, "decisions must be"),
        ({"decisions": ("a",), "safe_default": Decision("b", 0.0, 0.0)}, "safe_default: Decision.decision is 'b'"),
        ({"safe_default": "on_time"}, "safe_default: .*not a Decision"),
        ({"safe_default": Decision("a", float("nan"), 0.0)}, "safe_default: Decision.score is nan"),
        ({"rules": _async}, "rules\\(\\) must be a plain def"),
        ({"refine": _async}, "refine\\(\\) must be a plain def"),
        ({"decide": _generator}, "decide\\(\\) yields"),
        ({"fetch": _async_generator}, "fetch\\(\\) yields"),
        ({"fetch": threaded(_plain_async())}, "fetch\\(\\) cannot be @threaded"),
        ({"rules": threaded(lambda self, ctx, error: None)}, "rules\\(\\) cannot be @threaded"),
        ({"features": 7}, "features is int, not a function"),
    ],
)
def test_what_cannot_work_is_told_before_the_first_request(attributes: dict[str, Any], told: str) -> None:
    with pytest.raises(WorkflowSetupFailed, match=told):
        as_workflow(_with(**attributes))


class Half(Workflow):
    pass


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (Half, "Half has no decide"),
        (stages(), "needs a function under @decide"),
        (int, "the entry point is type"),
        ("workflow", "the entry point is str"),
        (lambda: None, "the entry point is function"),
    ],
)
def test_what_is_no_workflow_is_refused(entry: object, told: str) -> None:
    with pytest.raises(WorkflowImportError, match=told):
        as_workflow(entry)


def test_what_is_a_workflow() -> None:
    instance = Untyped()
    assert as_workflow(instance) is instance
    assert isinstance(as_workflow(Untyped), Untyped)
    assert [is_workflow(x) for x in (Untyped, instance, stages(), Half, int, 7)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (None, "returned NoneType"),
        (Decision("c", 0.0, 0.0), "is 'c'; declared are \\['a', 'b'\\]"),
        (Decision(1, 0.0, 0.0), "is 1; declared"),  # type: ignore[arg-type]
        (Decision("a", "high", 0.0), "Decision.score is str"),  # type: ignore[arg-type]
        (Decision("a", 0.0, float("inf")), "Decision.confidence is inf"),
        (Decision("a", 0.0, 0.0, details=Flight), "Decision.details is ModelMetaclass, not Delay"),
        (Decision("a", 0.0, 0.0, explanations_ref="\ud800"), "lone surrogates"),
    ],
)
def test_a_decision_is_what_was_declared(decision: Any, told: str) -> None:
    with pytest.raises(WorkflowError, match=told):
        Contract(("a", "b"), Delay).checked(decision)


def test_a_contract_that_declares_nothing() -> None:
    with pytest.raises(WorkflowError, match="declares no model"):
        Contract().checked(Decision("a", 0.0, 0.0, details=Delay(minutes=1)))
    with pytest.raises(WorkflowError, match="lone surrogates"):
        Contract().checked(Decision("\ud800", 0.0, 0.0))
    checked = Contract().checked(Decision("ä", 1, True))
    assert (checked, type(checked.score)) == (Decision("ä", 1.0, 1.0), float)


def test_a_context_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    ctx = _context()
    ctx.log.warning("odd %s", "weather")
    assert [(r.getMessage(), r.request_id) for r in caplog.records] == [("odd weather", "r-1")]  # type: ignore[attr-defined]
    assert (ctx.remaining(), ctx.input, ctx.now) == (0.0, {"a": 1}, datetime(1970, 1, 1, tzinfo=UTC))
    with pytest.raises(AttributeError):
        ctx.other = 1  # type: ignore[attr-defined]
    assert logging.getLogger("turnout.workflow").handlers == []
