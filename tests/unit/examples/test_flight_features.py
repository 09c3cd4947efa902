"""Training and serving see the same numbers: the workflow runs offline and through the runtime's own context."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from flight_delay.bundles import SOURCE, load_workflow
from flight_delay.data import Flight
from flight_delay.offline import Snapshot, feature_rows, settled_facts
from flight_delay.train import late_rates, to_json

from turnout_runtime.bundle.manifest import parse
from turnout_runtime.errors import InvalidRequest
from turnout_runtime.models import Model
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Workflow


class Scored:
    """In place of a trained model: the same score for every row."""

    value = 0.25
    stats = SimpleNamespace(last_batch=1)

    async def score(self, row: Any, remaining: float | None = None) -> float:
        return self.value


@pytest.fixture(params=["champion", "challenger"])
def workflow(request: pytest.FixtureRequest, some_flights: list[Flight], tmp_path: Path) -> Workflow:
    (tmp_path / "workflow.py").write_text((SOURCE / "workflow.py").read_text())
    (tmp_path / "rates.json").write_text(to_json(late_rates(some_flights)))
    workflow = load_workflow(tmp_path, parse((SOURCE / f"{request.param}.yaml").read_bytes()))
    workflow.models = {"delay": cast(Model, Scored())}
    return workflow


async def asked(workflow: Workflow, snapshot: Snapshot, context: dict[str, Any]) -> Prediction:
    return await Dataplane(workflow=workflow, facts=snapshot.rules()).predict(
        Route("flight-delay"), {"context": context}
    )


async def features(workflow: Workflow, flight: Flight, snapshot: Snapshot) -> dict[str, float]:
    prediction = await asked(workflow, snapshot, flight.context())
    assert prediction.error is None
    assert prediction.features is not None
    return dict(prediction.features)


async def test_training_and_serving_features_are_equal(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    flights = some_flights[::4]
    rows = [list((await features(workflow, flight, snapshot)).values()) for flight in flights]
    np.testing.assert_array_equal(np.array(rows, np.float32), feature_rows(workflow, flights, snapshot))


async def test_every_feature_has_its_name(workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot) -> None:
    assert list(await features(workflow, some_flights[0], snapshot)) == list(workflow.feature_names)


@pytest.mark.parametrize("workflow", ["challenger"], indirect=True)
async def test_an_unknown_plane_is_unknown_to_the_model_too(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    stranger = next(flight for flight in some_flights if flight.tailnum not in snapshot.tables["plane"])
    prediction = await asked(workflow, snapshot, stranger.context())
    assert prediction.features is not None
    assert math.isnan(prediction.features["plane_age"])
    assert math.isnan(prediction.features["plane_seats"])
    assert (prediction.fallback_used, prediction.fallback) == (True, "facts")
    assert prediction.details == {"weather": "live", "plane": "fallback"}
    assert settled_facts(workflow, stranger, snapshot)["plane"] is None


@pytest.mark.parametrize("workflow", ["challenger"], indirect=True)
async def test_late_weather_is_the_mean_hour(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    silent = Snapshot({**snapshot.tables, "weather": {}}, snapshot.fallbacks)
    row = await features(workflow, some_flights[0], silent)
    assert row["temp"] == pytest.approx(snapshot.fallbacks["weather"]["temp"])


@pytest.mark.parametrize("workflow", ["challenger"], indirect=True)
async def test_an_impossible_wind_is_capped(workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot) -> None:
    storm = {key: {"wind_speed": 1048.4} for key in snapshot.tables["weather"]}
    row = await features(workflow, some_flights[0], Snapshot({**snapshot.tables, "weather": storm}, snapshot.fallbacks))
    assert row["wind_speed"] == 80.0


@pytest.mark.parametrize(("score", "decision"), [(0.34, "on_time"), (0.35, "late")])
async def test_the_decision_follows_the_score(
    monkeypatch: pytest.MonkeyPatch,
    workflow: Workflow,
    some_flights: list[Flight],
    snapshot: Snapshot,
    score: float,
    decision: str,
) -> None:
    monkeypatch.setattr(Scored, "value", score)
    prediction = await asked(workflow, snapshot, some_flights[0].context())
    assert prediction.decision is not None
    assert prediction.decision.decision == decision


async def test_without_its_model_the_workflow_answers_by_the_destinations_rate(
    monkeypatch: pytest.MonkeyPatch, workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    async def fails(self: Scored, row: Any, remaining: float | None = None) -> float:
        raise RuntimeError("the model is broken")

    monkeypatch.setattr(Scored, "score", fails)
    prediction = await asked(workflow, snapshot, some_flights[0].context())
    assert (prediction.error, prediction.fallback) == (None, "rules")
    assert prediction.decision is not None
    rates = workflow.rates["dest"]  # type: ignore[attr-defined]  # the bundle's own class
    assert prediction.decision.score == rates[some_flights[0].dest]


@pytest.mark.parametrize("field", ["carrier", "dest", "origin", "scheduled_departure"])
async def test_a_missing_field_is_named_to_the_caller(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot, field: str
) -> None:
    context = {name: value for name, value in some_flights[0].context().items() if name != field}
    error = (await asked(workflow, snapshot, context)).error
    assert isinstance(error, InvalidRequest)
    assert f"context.{field}" in str(error)


@pytest.mark.parametrize("time", ["2013-07-01T05:15", "tomorrow", ""])
async def test_a_time_without_offset_is_refused(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot, time: str
) -> None:
    prediction = await asked(workflow, snapshot, {**some_flights[0].context(), "scheduled_departure": time})
    assert isinstance(prediction.error, InvalidRequest)
    assert "context.scheduled_departure" in str(prediction.error)


async def test_a_flight_without_tail_number_is_answered(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    assert (await asked(workflow, snapshot, {**some_flights[0].context(), "tailnum": None})).error is None
