"""What a process keeps of its predictions is what the same log says afterwards."""

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from turnout_runtime.errors import WorkflowError
from turnout_runtime.evaluation.drift.columns import columns
from turnout_runtime.evaluation.drift.training import sketched
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.serve.drift.begin import DriftMetrics
from turnout_runtime.serve.drift.online import BLOCK, Online
from turnout_runtime.serve.drift.told import metrics_of, together
from turnout_runtime.sketches.bins import quantile_bins
from turnout_runtime.sketches.category import CategorySketch
from turnout_runtime.sketches.compare import distance, rows_of
from turnout_runtime.sketches.document import Sketches, document
from turnout_runtime.sketches.grid import GridSketch
from turnout_runtime.sketches.measures import psi
from turnout_runtime.sketches.number import NumberSketch
from turnout_runtime.workflow import Decision

IDENTITY = Identity("demo", "flow", "flow-1a2b3c4d", "sha256:aa")
NOW = 1_700_000_000
NAMES = ("wind", "hour")
FLOATS = st.one_of(st.floats(width=32, allow_infinity=False), st.sampled_from([0.1, 0.7, 13.0, -0.0]))
ROWS = st.lists(st.tuples(FLOATS, FLOATS, st.floats(0, 1), st.sampled_from(["late", "on_time"])), max_size=120)
Features = Callable[[tuple[float, ...]], Any]


def prediction(features: Any, score: float | None, decision: str = "late", at: float = NOW, **route: Any) -> Prediction:
    made = Prediction(Route("obj", **route), "p", int(at * 1e9), 0.0)
    if features is not None:
        values = features.values() if isinstance(features, dict) else features
        made.features = dict(zip(features if isinstance(features, dict) else NAMES, values, strict=False))
        made.row = None if isinstance(features, dict) else features
    if score is not None:
        made.decision = Decision(decision, score, 1.0)
    made.finish()
    return made


def online(reference: Sketches | None = None, names: tuple[str, ...] = NAMES) -> Online:
    return Online(IDENTITY, names, reference, lambda: NOW)


def test_of_what_the_log_hides_there_is_no_sketch_either() -> None:
    rows = [prediction({"wind": 1.5, "city": "Tromsø", "age": 36.0}, 0.5, "refuse") for _ in range(3)]
    for hidden, kept in (
        ({"features.city", "features.age", "decision"}, {"score", "features.wind"}),
        ({"features", "score", "context"}, {"decision"}),
    ):
        reference: Sketches = {"features.age": NumberSketch(quantile_bins(np.array([36.0]))), "score": GridSketch()}
        made = Online(IDENTITY, (), reference, lambda: NOW, hidden)
        for row in rows:
            made(row)
        told = made.told()
        assert set(told["columns"]) == kept
        assert told["rows"] == 3
        assert "features.age" not in (told["reference"] or {"columns": ()})["columns"]


def offline(predictions: list[Prediction], reference: Sketches | None) -> Sketches:
    """Sketches of what the log has of them, shadows and all."""
    encode = Encoder(IDENTITY)
    found = columns(json.loads(encode(made)) for made in predictions)
    made = dict[str, Any]()
    for name, column in found.items():
        known = (reference or {}).get(name)
        sketch: Any = known.empty() if known else GridSketch() if column.numeric or name != "decision" else None
        if sketch is None or isinstance(sketch, CategorySketch):
            sketch = sketch or CategorySketch()
            sketch.add(column.categories)
        else:
            sketch.observe(column.values())
        sketch.missing += column.rows - sketch.size
        made[name] = sketch
    return made


def reference(seed: int = 3) -> Sketches:
    random = np.random.default_rng(seed)
    rows = [{"features": dict(zip(NAMES, row, strict=True)), "score": row[1], "decision": "late"}
            for row in random.normal(0, 3, (400, 2)).tolist()]  # fmt: skip
    return sketched(columns(rows))


SHAPES: tuple[Features, ...] = (
    list,
    lambda row: np.array(row, np.float32),
    lambda row: np.array(row, np.float64),
    lambda row: {"hour": row[1], "wind": row[0]},
    lambda row: {"hour": np.float32(row[1]), "wind": row[0]},
)


@given(ROWS, st.sampled_from(SHAPES), st.booleans())
@settings(max_examples=40, deadline=None)
def test_online_is_what_the_log_says(rows: list[tuple[float, float, float, str]], shape: Features, known: bool) -> None:
    base = reference() if known else None
    made = [prediction(shape(row[:2]), row[2], row[3], shadow=bool(n % 2)) for n, row in enumerate(rows)]
    made += [prediction(None, 0.5), prediction([1.0, 2.0], None), prediction(None, None)]
    kept = online(base)
    for one in made:
        kept(one)
    assert document(kept.view().sketches) == document(offline(made, base))


def test_blocks_and_processes_make_no_difference() -> None:
    random, base = np.random.default_rng(4), reference()
    rows = random.normal(1, 3, (2 * BLOCK + 77, 2)).astype(np.float32)
    made = [prediction(row, float(row[0]) / 10) for row in rows]
    one, *parts = (online(base) for _ in range(4))
    for number, each in enumerate(made):
        one(each)
        parts[number % 3](each)
    pod = together(json.loads(json.dumps(part.told())) for part in parts)
    assert pod is not None
    assert pod == one.told()
    assert pod["rows"] == len(made)
    assert pod["reference"]["rows"] == 400
    assert (pod["revision"], pod["until"]) == ("flow-1a2b3c4d", "2023-11-14T22:13:20.000000Z")
    assert document(one.view().sketches) == document(offline(made, base))


def test_psi_online_is_that_of_the_values() -> None:
    random, base = np.random.default_rng(5), np.random.default_rng(6).normal(10, 3, 5000)
    bins = quantile_bins(base)
    sketch = NumberSketch(bins)
    sketch.observe(base)
    kept, rows = online({"features.wind": sketch}), random.normal(11, 3, (1000, 2))
    for row in rows.tolist():
        kept(prediction(row, 0.5))
    found = distance(sketch, kept.view().sketches["features.wind"])
    assert found is not None
    assert found.psi == psi(bins.grouped(bins.count(base)), bins.grouped(bins.count(rows[:, 0])))


def test_panes_go_by_the_clock() -> None:
    clock = [float(NOW)]
    kept = Online(IDENTITY, NAMES, None, lambda: clock[0])
    for minute in range(90):
        clock[0] = NOW + 60.0 * minute
        kept(prediction([1.0, 2.0], 0.5, at=clock[0]))
    assert document(kept.view().sketches)["rows"] == 60
    assert document(kept.view(600).sketches)["rows"] == 11
    clock[0] += 7200
    assert document(kept.view().sketches)["rows"] == 0


@pytest.mark.parametrize(
    "features",
    [
        {"wind": "strong", "hour": 1.0},
        {"wind": None, "hour": 1.0},
        {"hour": 1.0},
        {"wind": 10**400, "hour": 1.0, "x": 2},
    ],
)
def test_odd_features_are_missing(features: dict[str, Any]) -> None:
    kept = online()
    for row in ([1.0, 2.0], features, [3.0, 4.0]):
        kept(prediction(row, 0.5))
    found = kept.view().sketches
    assert (rows_of(found["features.wind"]), found["features.wind"].missing) == (3, 1)
    assert (rows_of(found["features.hour"]), found["features.hour"].missing) == (3, 0)


def test_texts_are_categories_where_the_first_row_or_the_reference_says_so() -> None:
    kept = online(names=())
    for carrier in ("AA", "UA", None):
        kept(prediction({"carrier": carrier, "wind": 2.0}, 0.5))
    found = document(kept.view().sketches)["columns"]
    assert found["features.carrier"]["counts"] == {"AA": 1, "UA": 1}
    assert found["features.carrier"]["missing"] == 1
    assert found["features.wind"]["counts"] == [3]


def test_what_fails_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(dict[str, float]):
        def get(self, key: str, default: Any = None) -> Any:
            raise WorkflowError("odd")

    kept, odd = online(), prediction([1.0, 2.0], 0.5)
    odd.features, odd.row = Odd(), None
    with caplog.at_level(logging.ERROR):
        kept(odd)
    assert "rows are missing" in caplog.text
    kept(prediction([1.0, 2.0], 0.5))
    assert document(kept.view().sketches)["rows"] == 1


def test_of_many_features_the_first_are_counted() -> None:
    names = tuple(f"f{n}" for n in range(100))
    kept = online(names=names)
    for shape in (list, lambda row: np.array(row, np.float32)):
        one = prediction(None, 0.5)
        one.features, one.row = dict(zip(names, range(100), strict=True)), shape(range(100))
        kept(one)
    found = document(kept.view().sketches)["columns"]
    assert len(found) == 64 + 2
    assert found["features.f63"]["counts"] == [2]


def samples(kept: Online) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(DriftMetrics(kept.compared))
    text = generate_latest(registry)
    assert metrics_of(kept.told()) == text
    families = text_string_to_metric_families(text.decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_metrics() -> None:
    kept = online(reference())
    assert samples(kept) == {("turnout_drift_rows",): 0}
    for row in np.random.default_rng(3).normal(0, 3, (400, 2)).tolist():
        kept(prediction([float("nan"), row[1]], row[1]))
    found = samples(kept)
    assert found["turnout_drift_psi", "score"] == found["turnout_drift_ks", "score"] == 0
    assert found["turnout_drift_psi_by_chance", "score"] == pytest.approx(16.9 * 2 / 400, rel=0.01)
    assert found["turnout_drift_missing_ratio", "features.wind"] == 1
    assert found["turnout_drift_missing_ratio", "features.hour"] == 0
    assert ("turnout_drift_psi", "features.wind") not in found  # without values there is no distance
    assert ("turnout_drift_ks", "decision") not in found
    assert found["turnout_drift_rows",] == 400


def test_without_a_reference_there_is_no_distance() -> None:
    kept = online()
    kept(prediction([1.0, 2.0], 0.5))
    assert {name for name, *_ in samples(kept)} == {"turnout_drift_missing_ratio", "turnout_drift_rows"}
    nothing = CollectorRegistry()
    nothing.register(DriftMetrics(lambda: None))
    assert generate_latest(nothing) == b""


def test_a_slow_drift_trips_psi() -> None:
    """The wind freshens by 2 % of its spread a minute: within the hour it is another one, and not before."""
    random, clock = np.random.default_rng(8), [float(NOW)]
    sketch = NumberSketch(quantile_bins(random.normal(10, 3, 20_000)))
    sketch.observe(random.normal(10, 3, 20_000))
    kept, first = Online(IDENTITY, NAMES, {"features.wind": sketch}, lambda: clock[0]), None
    for minute in range(0, 180, 4):
        clock[0] = NOW + 60.0 * minute
        for wind in random.normal(10 + 0.06 * minute, 3, 60).tolist():
            kept(prediction([wind, 0.0], 0.5, at=clock[0]))
        found = samples(kept)
        moved = found["turnout_drift_psi", "features.wind"]
        if moved >= 0.25 and moved > found["turnout_drift_psi_by_chance", "features.wind"] and first is None:
            first = minute
    assert first is not None
    assert 30 < first < 60
    assert moved > 2  # and the hour has forgotten how it was
