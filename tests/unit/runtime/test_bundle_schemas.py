from typing import Any

import pytest
from pydantic import BaseModel, Field

from turnout_runtime.bundle.schemas import check_same, feature_schema_hash, own
from turnout_runtime.errors import SchemaMismatch
from turnout_runtime.workflow import Context, Decision, Workflow
from turnout_runtime.workflow.schema import decision_schema, request_schema


class Leg(BaseModel):
    miles: float


class Flight(BaseModel):
    carrier: str = Field(description="Two letters")
    legs: list[Leg] = []
    title: str = "none"  # a field that has the name of an annotation


class Delay(BaseModel):
    minutes: float


class Flow(Workflow[Flight, Delay]):
    decisions = ("late", "on_time")

    def decide(self, ctx: Context[Flight], score: float) -> Decision:
        return Decision("late", score, 1.0)


REQUEST, DECISION = request_schema(Flow()), decision_schema(Flow())


def _changed(schema: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted path."""
    head, _, rest = path.partition(".")
    return {**schema, head: _changed(schema[head], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.context.properties.carrier.description", "the airline"),
        ("properties.context.title", "AnotherName"),
        ("properties.request_id", {"type": "string"}),
        ("properties.new_field_of_the_runtime", {}),
        ("title", "Question"),
    ],
)
def test_words_and_the_runtimes_own_fields_may_change(path: str, value: Any) -> None:
    changed = _changed(REQUEST, path, value)
    check_same("schemas/request.json", changed, REQUEST)
    assert feature_schema_hash(("a",), changed) == feature_schema_hash(("a",), REQUEST)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("properties.context.properties.carrier.type", "integer", "properties.context.properties.carrier.type"),
        ("properties.context.required", [], "properties.context.required"),
        ("properties.context.properties.title.type", "number", "properties.context.properties.title.type"),
        ("properties.context.properties.gate", {}, "properties.context.properties.gate"),
        ("$defs.Leg.properties.miles.type", "integer", r"\$defs.Leg.properties.miles.type"),
        ("$defs", {}, r"\$defs.Leg"),
    ],
)
def test_another_contract_is_told_by_its_place(path: str, value: Any, place: str) -> None:
    changed = _changed(REQUEST, path, value)
    with pytest.raises(SchemaMismatch, match=f"schemas/request.json: .* at {place}: run `turnout bundle build`"):
        check_same("schemas/request.json", changed, REQUEST)
    assert feature_schema_hash(("a",), changed) != feature_schema_hash(("a",), REQUEST)


def test_the_decisions_and_details_are_the_authors() -> None:
    check_same("d", DECISION, DECISION)
    for path, value in (("properties.decision.enum", ["late"]), ("properties.details", {"type": "object"})):
        with pytest.raises(SchemaMismatch):
            check_same("d", _changed(DECISION, path, value), DECISION)


def test_the_order_of_features_is_a_part_of_the_hash() -> None:
    assert feature_schema_hash(("a", "b"), REQUEST) != feature_schema_hash(("b", "a"), REQUEST)


@pytest.mark.parametrize("junk", [{}, {"properties": 1}, {"properties": {"context": [1]}, "$defs": None}])
def test_junk_is_another_schema(junk: dict[str, Any]) -> None:
    assert own(junk) != own(REQUEST)
    with pytest.raises(SchemaMismatch):
        check_same("d", junk, REQUEST)
