import json
import logging
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from turnout_runtime.errors import Overloaded, RequestError
from turnout_runtime.facts import Fact
from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.ids import rfc3339
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.serve.metrics import ServingMetrics
from turnout_runtime.serve.problems import problem
from turnout_runtime.serve.sink import PredictionSink
from turnout_runtime.telemetry.tally import SECONDS, Histogram

IDENTITY = Identity("demo", "flow", "flow-1a2b3c4d", "sha256:aa")
CONTRACT = {
    "turnout_requests_total", "turnout_request_duration_seconds", "turnout_stage_duration_seconds",
    "turnout_in_flight", "turnout_queue_depth", "turnout_queue_wait_seconds", "turnout_shed_total",
    "turnout_facts_total", "turnout_log_records_total", "turnout_log_dropped_total", "turnout_model_load_seconds",
    "turnout_info",
}  # fmt: skip


def _prediction(arm: str | None = None, error: BaseException | None = None, **fields: Any) -> Prediction:
    prediction = Prediction(Route("obj", arm), "id", 1_700_000_000_123_456_789, 0.0)
    for name, value in fields.items():
        setattr(prediction, name, value)
    prediction.total = 0.004
    if error:
        prediction.fail(error)
    return prediction


def _samples(metrics: ServingMetrics) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(metrics)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (s.name, *(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    return LogWriter(LogFiles(tmp_path, 1000, 2))


def test_all_metrics_of_the_contract_are_there_from_the_start(log: LogWriter) -> None:
    metrics = ServingMetrics(IDENTITY, Admission(1, 1, 1), log, 0.5)
    metrics.observe(_prediction(error=Overloaded("queue_full"), facts={"weather": Fact({}, "live", 1.0)}))
    names = {sample[0] for sample in _samples(metrics)}
    assert {name for name in CONTRACT if name not in names and f"{name}_count" not in names} == set()


def test_predictions_are_counted_by_outcome_and_arm(log: LogWriter) -> None:
    metrics = ServingMetrics(IDENTITY, Admission(1, 1, 1), log, 0.5)
    stages: Any = {"queue": 0.001, "facts": 0.02}
    for prediction in (
        _prediction("main", facts={"weather": Fact({}, "fallback", 20.0, None, "timeout")}, stages=stages),
        _prediction("main"),
        _prediction(None, ValueError()),
        _prediction("main", Overloaded("queue_wait")),
    ):
        metrics.observe(prediction)
    samples = _samples(metrics)
    assert samples["turnout_requests_total", "main", "ok"] == 2
    assert samples["turnout_requests_total", "none", "error"] == 1
    assert samples["turnout_shed_total", "queue_wait"] == 1
    assert samples["turnout_facts_total", "weather", "fallback"] == 1
    assert samples["turnout_stage_duration_seconds_count", "facts"] == 1
    assert samples["turnout_request_duration_seconds_sum",] == pytest.approx(0.016)
    assert samples["turnout_info", "sha256:aa", "flow-1a2b3c4d"] == 1


def test_callers_cannot_grow_the_metrics_without_end(log: LogWriter) -> None:
    metrics = ServingMetrics(IDENTITY, Admission(1, 1, 1), log, 0.5)
    for number in range(500):
        metrics.observe(_prediction(f"arm-{number}"))
    arms = {sample[1] for sample in _samples(metrics) if sample[0] == "turnout_requests_total"}
    assert len(arms) <= 70
    assert "other" in arms


def test_buckets_are_cumulative_and_include_their_bound() -> None:
    histogram = Histogram()
    for seconds in (0.0, SECONDS[0], SECONDS[0] + 1e-9, 1e9):
        histogram.observe(seconds)
    counts = [count for _, count in histogram.buckets()]
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (2, 3, 3, 4)


def test_a_record_that_cannot_be_encoded_is_counted_and_told(log: LogWriter, caplog: pytest.LogCaptureFixture) -> None:
    sink = PredictionSink(IDENTITY, ServingMetrics(IDENTITY, Admission(1, 1, 1), log, 0.5), log)
    with caplog.at_level(logging.ERROR):
        sink(_prediction(features={"\ud800": 1.0}))
    assert log.dropped["not_encodable"] == 1
    assert "record not encodable" in caplog.text


def test_failures_are_told_once_a_second_for_each_type(log: LogWriter, caplog: pytest.LogCaptureFixture) -> None:
    sink = PredictionSink(IDENTITY, ServingMetrics(IDENTITY, Admission(1, 1, 1), log, 0.5), log)
    for _ in range(50):
        sink(_prediction(error=ValueError("x")))
        sink(_prediction(error=KeyError("x")))
        sink(_prediction(error=Overloaded("queue_full")))
    assert len(caplog.records) == 2


def test_a_problem_tells_callers_nothing_of_the_inside() -> None:
    status, body = problem(ValueError("password"), {"request_id": "r", "prediction_id": None})
    assert status == 500
    assert json.loads(body) == {
        "type": "https://turnout.dev/problems/workflow-failed",
        "title": "The workflow failed",
        "status": 500,
        "detail": "the log of the pod has the details",
        "request_id": "r",
    }


def test_every_problem_has_a_type_of_its_own() -> None:
    kinds = [RequestError, *RequestError.__subclasses__()]
    assert len({kind.slug for kind in kinds}) == len(kinds)
    assert {kind.slug: kind.http_status for kind in kinds} == {
        "workflow-failed": 500, "invalid-request": 400, "body-too-large": 413, "overloaded": 429, "timeout": 504,
        "draining": 503, "not-found": 404, "method-not-allowed": 405, "model-unavailable": 503,
        "request-id-reused": 422,
    }  # fmt: skip


def test_times_have_microseconds() -> None:
    assert rfc3339(1_372_636_800_000_000_000) == "2013-07-01T00:00:00.000000Z"
    assert rfc3339(1_372_636_800_123_456_789) == "2013-07-01T00:00:00.123456Z"
