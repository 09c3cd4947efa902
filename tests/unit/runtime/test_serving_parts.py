import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from turnout_runtime.errors import Overloaded, RequestError
from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.ids import rfc3339
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.serve.metrics import ServingMetrics
from turnout_runtime.serve.problems import problem
from turnout_runtime.serve.sink import PredictionSink
from turnout_runtime.telemetry.histogram import SECONDS, Histogram
from turnout_runtime.workflow import Context, Decision, Workflow

IDENTITY = Identity("demo", "flow", "flow-1a2b3c4d", "sha256:aa")


def _prediction(arm: str | None = None, error: BaseException | None = None, **fields: Any) -> Prediction:
    prediction = Prediction(Route("obj", arm), "id", 1_700_000_000_123_456_789, 0.0)
    for name, value in fields.items():
        setattr(prediction, name, value)
    prediction.total = 0.004
    if error:
        prediction.fail(error)
    return prediction


class Nothing(Workflow):
    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("nothing", score, 1.0)


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    return LogWriter(LogFiles(tmp_path, 1000, 2))


def test_buckets_are_cumulative_and_include_their_bound() -> None:
    histogram = Histogram()
    for seconds in (0.0, SECONDS[0], SECONDS[0] + 1e-9, 1e9):
        histogram.observe(seconds)
    counts = [count for _, count in histogram.buckets()]
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (2, 3, 3, 4)


async def test_a_record_that_cannot_be_encoded_is_counted_and_told(
    log: LogWriter, caplog: pytest.LogCaptureFixture
) -> None:
    sink = PredictionSink(IDENTITY, ServingMetrics(IDENTITY, Dataplane(workflow=Nothing()), log), log)
    with caplog.at_level(logging.ERROR):
        sink(_prediction(features={"\ud800": 1.0}))  # becomes text that can be
        sink(_prediction(time_ns=10**21))  # beyond the year 9999
        await asyncio.sleep(0)
    assert log.dropped["not_encodable"] == 1
    assert "record not encodable" in caplog.text


async def test_failures_are_told_once_a_second_for_each_type(log: LogWriter, caplog: pytest.LogCaptureFixture) -> None:
    sink = PredictionSink(IDENTITY, ServingMetrics(IDENTITY, Dataplane(workflow=Nothing()), log), log)
    for _ in range(50):
        sink(_prediction(error=ValueError("x")))
        sink(_prediction(error=KeyError("x")))
        sink(_prediction(error=Overloaded("queue_full")))
    await asyncio.sleep(0)
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
        "request-id-reused": 422, "feedback-not-kept": 503,
    }  # fmt: skip


def test_times_have_microseconds() -> None:
    assert rfc3339(1_372_636_800_000_000_000) == "2013-07-01T00:00:00.000000Z"
    assert rfc3339(1_372_636_800_123_456_789) == "2013-07-01T00:00:00.123456Z"
