import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import jsonschema
import orjson
import pytest
from pydantic import BaseModel, Field
from tests.unit.runtime.predict.planes import ROUTE, plane

from turnout_runtime.predict.answer import answer
from turnout_runtime.workflow import Context, Decision, Workflow
from turnout_runtime.workflow.schema import decision_schema, request_schema

_CHECK = jsonschema.Draft202012Validator


class Airport(BaseModel):
    code: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Flight(BaseModel):
    origin: Airport
    departure: datetime
    cabin: Literal["first", "coach"] = "coach"


class Why(BaseModel):
    reasons: list[Airport] = []


class Typed(Workflow[Flight, Why]):
    decisions = ("late", "on_time")

    def decide(self, ctx: Context[Flight], score: float) -> Decision[Why]:
        return Decision("late", score, 1.0, details=Why(reasons=[ctx.input.origin]))


class Untyped(Workflow):
    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("anything", score, 1.0)


GOOD = {"context": {"origin": {"code": "JFK"}, "departure": "2013-07-01T05:15:00Z"}, "request_id": "r"}


@pytest.mark.parametrize("flow", [Typed(), Untyped()])
def test_schemas_are_schemas_and_fit_what_is_said(flow: Workflow) -> None:
    asked, answered = request_schema(flow), decision_schema(flow)
    _CHECK.check_schema(asked)
    _CHECK.check_schema(answered)
    _CHECK(asked).validate(GOOD)
    prediction = asyncio.run(plane([], flow).predict(ROUTE, orjson.dumps(GOOD)))
    _CHECK(answered).validate(orjson.loads(orjson.dumps(answer(prediction, "flow-1"))))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"context": {}},
        {"context": {"origin": {"code": "jfk"}, "departure": "2013-07-01T05:15:00Z"}},
        {**GOOD, "other": 1},
        {**GOOD, "request_id": ""},
        {**GOOD, "entity_id": 7},
        {**GOOD, "feature_refs": []},
    ],
)
def test_the_schema_and_the_dataplane_refuse_the_same(document: dict[str, Any]) -> None:
    assert not _CHECK(request_schema(Typed())).is_valid(document)
    prediction = asyncio.run(plane([], Typed()).predict(ROUTE, orjson.dumps(document)))
    assert prediction.status == "invalid"


def test_declared_decisions_are_an_enum_and_details_are_described() -> None:
    schema = decision_schema(Typed())
    assert schema["properties"]["decision"]["enum"] == ["late", "on_time"]
    assert "Airport" in schema["$defs"]
    assert "details" not in decision_schema(Untyped())["properties"]


def test_references_go_where_the_document_wants_them() -> None:
    schema = request_schema(Typed(), "#/components/schemas/{model}")
    assert schema["properties"]["context"]["properties"]["origin"] == {"$ref": "#/components/schemas/Airport"}
    assert list(schema["$defs"]) == ["Airport"]
