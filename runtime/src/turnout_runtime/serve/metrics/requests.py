"""Requests, their stages, and the queue before them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.prediction import STAGES, Prediction
from turnout_runtime.telemetry import tally
from turnout_runtime.telemetry.histogram import SECONDS, Histogram
from turnout_runtime.telemetry.tally import counter

_MAX_NAMES = 64
_DIRECT = "none"  # the arm of requests that did not come through the gateway
_OTHER = "other"  # names beyond the limit, so that callers and workflows cannot grow the metrics without end


class RequestCounts:
    """Counts predictions as they finish."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._shed: Counter[tuple[str, ...]] = Counter()
        self._fallbacks: Counter[tuple[str, ...]] = Counter()
        self._exceeded: Counter[tuple[str, ...]] = Counter()
        self._arms, self._steps = {_DIRECT}, {_DIRECT}
        self._total = Histogram()
        self._stages = {stage: Histogram() for stage in STAGES}

    def observe(self, prediction: Prediction) -> None:
        """Count one finished prediction."""
        self._requests[prediction.status, _bounded(self._arms, prediction.route.arm)] += 1
        self._total.observe(prediction.total)
        histograms = self._stages
        for stage, seconds in prediction.stages.items():
            histogram = histograms[stage]  # its `observe`, without the calls: these are four or five a request
            histogram.counts[bisect_left(SECONDS, seconds)] += 1
            histogram.sum += seconds
        if prediction.fallback is not None:
            self._fallbacks[(_bounded(self._steps, prediction.fallback),)] += 1
        for budget in prediction.exceeded:
            self._exceeded[(budget,)] += 1
        if prediction.status == "shed":
            self._shed[(prediction.error_type or "",)] += 1

    def collect(self, admission: Admission | None) -> Iterator[Metric]:
        """Render the families."""
        total, wait = [((), self._total)], [((), self._stages["queue"])]
        stages = [((stage,), part) for stage, part in self._stages.items()]
        yield counter("turnout_requests", "Requests by outcome and arm", ("status", "arm"), self._requests.items())
        yield tally.histogram("turnout_request_duration_seconds", "Whole request, in the pod", (), total)
        yield tally.histogram("turnout_stage_duration_seconds", "Time spent in each stage", ("stage",), stages)
        yield tally.histogram("turnout_queue_wait_seconds", "Wait for an execution, shed requests included", (), wait)
        yield counter("turnout_shed", "Requests turned away", ("reason",), self._shed.items())
        yield counter(
            "turnout_fallbacks", "Answers that rest on a fallback, by step", ("step",), self._fallbacks.items()
        )
        yield counter(
            "turnout_budget_exceeded", "Stages that took more than their budget", ("stage",), self._exceeded.items()
        )
        yield from _gauges(admission)


def _gauges(admission: Admission | None) -> Iterator[Metric]:
    """What autoscalers and the Gateway API Inference Extension read (its Model Server Protocol, proposal 003)."""
    running, waiting = (admission.active, admission.depth) if admission else (0, 0)
    yield GaugeMetricFamily("turnout_in_flight", "Workflow executions now", running)
    yield GaugeMetricFamily("turnout_queue_depth", "Requests that wait now", waiting)
    yield GaugeMetricFamily(
        "turnout_kv_cache_utilization_ratio", "Share of the KV cache in use; a workflow itself has none: 0", 0.0
    )


def _bounded(known: set[str], name: str | None) -> str:
    if not name:
        return _DIRECT
    if name in known:
        return name
    if len(known) > _MAX_NAMES or len(name) > 63:
        return _OTHER
    known.add(name)
    return name
