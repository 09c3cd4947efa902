"""What Prometheus reads, and that docs/metrics.md says all of it and nothing else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from turnout_runtime.config import Batching, Serving
from turnout_runtime.errors import Overloaded
from turnout_runtime.facts import FactRule, Found, Scope
from turnout_runtime.facts.breaker import Breaker
from turnout_runtime.facts.stats import FactStats
from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.serve.drift.begin import DriftMetrics
from turnout_runtime.serve.metrics import ServingMetrics
from turnout_runtime.serve.metrics.feedback import FeedbackCounts
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.metrics import ShipMetrics
from turnout_runtime.ship.plan import Sinks
from turnout_runtime.ship.progress import ProgressFiles
from turnout_runtime.workflow import Context, Decision, Workflow
from turnout_runtime.workflow.features import Row

IDENTITY = Identity("demo", "flow", "flow-1a2b3c4d", "sha256:aa")
DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
SERVING = Serving.model_validate(
    {
        **{"concurrency": 4, "maxQueueDepth": 4, "maxQueueWaitSeconds": 1, "timeoutSeconds": 1, "drainSeconds": 0},
        "cache": {"ttlSeconds": 60, "keyFields": ["context.answer"]},
        "idempotency": {"windowSeconds": 60},
    }
)


class Always:
    """A source that has one value under every key but `none`."""

    def get(self, key: str, scope: Scope) -> Found:
        if key == "none":
            raise ConnectionError
        return Found({"temp": 1.0}, as_of_ns=scope.time_ns - 2_000_000_000)


class Answer(Workflow):
    model, feature_names = "double", ("temp",)

    async def fetch(self, ctx: Context) -> None:
        await ctx.facts.fetch(weather=ctx.input["key"])

    def features(self, ctx: Context) -> list[float]:
        return [float((ctx.facts["weather"] or {}).get("temp", 0.0))]

    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("yes", score, 1.0)


def doubled(rows: Sequence[Row]) -> list[float]:
    return [2 * float(row[0]) for row in rows]


@pytest.fixture
def plane() -> Dataplane:
    workflow = Answer()
    workflow.models = {"double": Model("double", None, Loaded(doubled, 1), Batching())}
    weather = FactRule(Always(), 1.0, {"temp": 0.0}, stats=FactStats(breaker=Breaker(5, 1.0)))
    return dataplane(workflow, {"weather": weather}, SERVING, "flow-1a2b3c4d")


@pytest.fixture
def metrics(plane: Dataplane, tmp_path: Path) -> ServingMetrics:
    served = ServingMetrics(IDENTITY, plane, LogWriter(LogFiles(tmp_path, 1000, 2)), FeedbackCounts())
    plane.sink = served.observe
    return served


def samples(metrics: ServingMetrics) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(metrics)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (s.name, *(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


async def ask(plane: Dataplane, arm: str | None = None, request_id: str | None = None, **context: Any) -> Prediction:
    document = {"context": context, **({"request_id": request_id} if request_id else {})}
    return await plane.predict(Route("obj", arm), document)


async def test_an_empty_arm_is_none(metrics: ServingMetrics, plane: Dataplane) -> None:
    for _ in range(2):
        await ask(plane, "", answer=1, key="EWR")
    assert {sample[1] for sample in samples(metrics) if sample[0] == "turnout_requests_total"} == {"none"}


async def test_requests_are_counted_by_outcome_arm_and_fallback(metrics: ServingMetrics, plane: Dataplane) -> None:
    await ask(plane, "main", answer=1, key="EWR")
    await ask(plane, "main", answer=2, key="none")
    await plane.predict(Route("obj"), {"context": 5})
    plane.refuse(Route("obj", "main"), Overloaded("queue_full"))
    found = samples(metrics)
    assert found["turnout_requests_total", "main", "ok"] == 2
    assert found["turnout_requests_total", "none", "invalid"] == 1
    assert found["turnout_requests_total", "main", "shed"] == 1
    assert found["turnout_shed_total", "queue_full"] == 1
    assert found["turnout_fallbacks_total", "facts"] == 1
    assert found["turnout_request_duration_seconds_count",] == 4
    assert found["turnout_stage_duration_seconds_count", "model"] == 2
    assert found["turnout_info", "sha256:aa", "flow-1a2b3c4d"] == 1


async def test_facts_tell_their_origin_age_and_why_not(metrics: ServingMetrics, plane: Dataplane) -> None:
    await ask(plane, answer=1, key="EWR")
    await ask(plane, answer=2, key="none")
    found = samples(metrics)
    assert found["turnout_facts_total", "weather", "live"] == 1
    assert found["turnout_facts_total", "weather", "fallback"] == 1
    assert found["turnout_fact_misses_total", "weather", "error"] == 1
    assert found["turnout_fact_age_seconds_sum", "weather"] == pytest.approx(2.0, abs=0.1)
    assert found["turnout_fact_breaker_state", "weather", "closed"] == 1
    assert found["turnout_fact_breaker_state", "weather", "open"] == 0


async def test_models_tell_their_runs_and_rows(metrics: ServingMetrics, plane: Dataplane) -> None:
    for number in range(3):
        await ask(plane, answer=number, key="EWR")
    found = samples(metrics)
    assert found["turnout_model_rows_total", "double"] == 3
    assert found["turnout_model_run_duration_seconds_count", "double"] == 3
    assert found["turnout_model_memory_bytes", "resident", "double"] == 0


async def test_remembered_answers_are_counted(metrics: ServingMetrics, plane: Dataplane) -> None:
    for _ in range(2):
        await ask(plane, answer=1, key="EWR")
    for _ in range(2):
        await ask(plane, request_id="r", answer=7, key="EWR")
    await ask(plane, request_id="r", answer=8, key="EWR")
    found = samples(metrics)
    assert (found["turnout_answer_cache_total", "hit"], found["turnout_answer_cache_total", "miss"]) == (1, 2)
    assert (found["turnout_replays_total",], found["turnout_replay_conflicts_total",]) == (1, 1)


async def test_callers_cannot_grow_the_metrics_without_end(metrics: ServingMetrics, plane: Dataplane) -> None:
    for number in range(500):
        await ask(plane, f"arm-{number}", answer=1, key="EWR")
    arms = {sample[1] for sample in samples(metrics) if sample[0] == "turnout_requests_total"}
    assert len(arms) <= 70
    assert "other" in arms


def test_the_document_lists_each_metric_and_no_other(metrics: ServingMetrics, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(metrics)
    registry.register(DriftMetrics(lambda: ({}, {})))
    registry.register(ShipMetrics(Backlog(tmp_path, Sinks((), ()), ProgressFiles(tmp_path)), {}))
    told = set(re.findall(r"^# TYPE (\S+)", generate_latest(registry).decode(), re.MULTILINE))
    listed = set(re.findall(r"^\| `(turnout_[a-z_]+)`", DOCUMENT.read_text(), re.MULTILINE))
    elsewhere = {name for name in listed if name.startswith(("turnout_gpu_", "turnout_fact_cache_"))}
    assert listed - elsewhere == told
