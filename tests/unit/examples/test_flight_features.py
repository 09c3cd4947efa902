"""Training and serving see the same numbers: the workflow runs offline and through the runtime's own context."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flight_delay.bundles import SOURCE, load_workflow
from flight_delay.data import Flight
from flight_delay.facts import Table
from flight_delay.offline import OfflineFacts, Snapshot, feature_rows
from flight_delay.train import late_rates, to_json

from turnout_runtime.bundle.manifest import parse
from turnout_runtime.errors import InvalidRequest
from turnout_runtime.facts import FactRule, Facts, Found, NoSuchKey, Scope
from turnout_runtime.workflow import Context, Request, Workflow


class TableSource:
    """A fact source that answers from a table, as Redis would."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, key: str, scope: Scope) -> Found:
        if key not in self.table:
            raise NoSuchKey(key)
        return Found(self.table[key])


@pytest.fixture(params=["champion", "challenger"])
def workflow(request: pytest.FixtureRequest, some_flights: list[Flight], tmp_path: Path) -> Workflow:
    (tmp_path / "workflow.py").write_text((SOURCE / "workflow.py").read_text())
    (tmp_path / "rates.json").write_text(to_json(late_rates(some_flights)))
    return load_workflow(tmp_path, parse((SOURCE / f"{request.param}.yaml").read_bytes()))


async def served(workflow: Workflow, flight: Flight, snapshot: Snapshot) -> tuple[Context, Any]:
    rules = {
        name: FactRule(TableSource(table), 1.0, snapshot.fallbacks[name]) for name, table in snapshot.tables.items()
    }
    ctx = Context(
        Request("r", flight.entity_id, {}, flight.context()), Facts(rules, Scope(0, lambda: 1.0)), lambda: 1.0
    )
    await workflow.fetch(ctx)
    return ctx, workflow.features(ctx)


async def test_training_and_serving_features_are_equal(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    flights = some_flights[::4]
    rows = [(await served(workflow, flight, snapshot))[1] for flight in flights]
    np.testing.assert_array_equal(np.stack(rows), feature_rows(workflow, flights, snapshot))


async def test_every_feature_has_its_name(workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot) -> None:
    _, row = await served(workflow, some_flights[0], snapshot)
    assert len(row) == len(workflow.feature_names) == len(set(workflow.feature_names))


@pytest.mark.parametrize("workflow", ["challenger"], indirect=True)
async def test_an_unknown_plane_is_unknown_to_the_model_too(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    stranger = next(flight for flight in some_flights if flight.tailnum not in snapshot.tables["plane"])
    ctx, row = await served(workflow, stranger, snapshot)
    named = dict(zip(workflow.feature_names, row, strict=True))
    assert math.isnan(named["plane_age"])
    assert math.isnan(named["plane_seats"])
    assert ctx.facts.fallback_used


@pytest.mark.parametrize("workflow", ["challenger"], indirect=True)
async def test_late_weather_is_the_mean_hour(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    silent = Snapshot({**snapshot.tables, "weather": {}}, snapshot.fallbacks)
    _, row = await served(workflow, some_flights[0], silent)
    named = dict(zip(workflow.feature_names, row, strict=True))
    assert named["temp"] == pytest.approx(snapshot.fallbacks["weather"]["temp"])


@pytest.mark.parametrize("workflow", ["challenger"], indirect=True)
async def test_an_impossible_wind_is_capped(workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot) -> None:
    storm = {key: {"wind_speed": 1048.4} for key in snapshot.tables["weather"]}
    _, row = await served(
        workflow, some_flights[0], Snapshot({**snapshot.tables, "weather": storm}, snapshot.fallbacks)
    )
    assert dict(zip(workflow.feature_names, row, strict=True))["wind_speed"] == 80.0


@pytest.mark.parametrize(("score", "decision"), [(0.34, "on_time"), (0.35, "late")])
async def test_the_decision_follows_the_score(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot, score: float, decision: str
) -> None:
    ctx, _ = await served(workflow, some_flights[0], snapshot)
    assert workflow.decide(ctx, score).decision == decision


async def asked(workflow: Workflow, snapshot: Snapshot, context: dict[str, Any]) -> None:
    ctx = Context(Request("r", None, {}, context), OfflineFacts(snapshot), lambda: 1.0)
    await workflow.fetch(ctx)
    workflow.features(ctx)


@pytest.mark.parametrize("field", ["carrier", "dest", "origin", "scheduled_departure"])
async def test_a_missing_field_is_named_to_the_caller(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot, field: str
) -> None:
    context = {name: value for name, value in some_flights[0].context().items() if name != field}
    with pytest.raises(InvalidRequest, match=f"context.{field}: .* missing"):
        await asked(workflow, snapshot, context)


@pytest.mark.parametrize("time", ["2013-07-01T05:15", "tomorrow", ""])
async def test_a_time_without_offset_is_refused(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot, time: str
) -> None:
    with pytest.raises(InvalidRequest, match="offset"):
        await asked(workflow, snapshot, {**some_flights[0].context(), "scheduled_departure": time})


async def test_a_flight_without_tail_number_is_answered(
    workflow: Workflow, some_flights: list[Flight], snapshot: Snapshot
) -> None:
    await asked(workflow, snapshot, {**some_flights[0].context(), "tailnum": None})
