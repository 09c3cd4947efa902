"""The pod's metrics: tallied while it serves, rendered when Prometheus asks."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.prediction import STAGES, Prediction
from turnout_runtime.telemetry.tally import Histogram, counter, histogram

_MAX_ARMS = 64
_DIRECT = "none"  # the arm of requests that did not come through the gateway
_OTHER = "other"  # arms beyond the limit, so that a caller's headers cannot grow the metrics without end


class ServingMetrics(Collector):
    """Counts predictions; reads the gauges where they live."""

    def __init__(self, identity: Identity, admission: Admission, log: LogWriter, model_load_seconds: float) -> None:
        self._identity, self._admission, self._log = identity, admission, log
        self._model_load_seconds = model_load_seconds
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._shed: Counter[tuple[str, ...]] = Counter()
        self._facts: Counter[tuple[str, ...]] = Counter()
        self._arms = {_DIRECT}
        self._total = Histogram()
        self._stages = {stage: Histogram() for stage in STAGES}

    def observe(self, prediction: Prediction) -> None:
        """Count one finished prediction."""
        self._requests[prediction.status, self._arm(prediction.route.arm)] += 1
        self._total.observe(prediction.total)
        for stage, seconds in prediction.stages.items():
            self._stages[stage].observe(seconds)
        for name, fact in prediction.facts.items():
            self._facts[name, fact.source] += 1
        if prediction.status == "shed":
            self._shed[(prediction.error_type or "",)] += 1

    def _arm(self, arm: str | None) -> str:
        if arm is None or arm in self._arms:
            return arm or _DIRECT
        if len(self._arms) > _MAX_ARMS or len(arm) > 63:
            return _OTHER
        self._arms.add(arm)
        return arm

    def collect(self) -> Iterator[Metric]:
        """Render all families."""
        total, wait = [((), self._total)], [((), self._stages["queue"])]
        stages = [((stage,), part) for stage, part in self._stages.items()]
        yield counter("turnout_requests", "Requests by outcome and arm", ("status", "arm"), self._requests.items())
        yield histogram("turnout_request_duration_seconds", "Whole request, in the pod", (), total)
        yield histogram("turnout_stage_duration_seconds", "Time spent in each stage", ("stage",), stages)
        yield histogram("turnout_queue_wait_seconds", "Wait for an execution, shed requests included", (), wait)
        yield counter("turnout_shed", "Requests turned away", ("reason",), self._shed.items())
        yield counter("turnout_facts", "Facts by where they came from", ("fact", "source"), self._facts.items())
        yield from self._gauges()
        yield from self._log_metrics()

    def _gauges(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("turnout_in_flight", "Workflow executions now", self._admission.active)
        yield GaugeMetricFamily("turnout_queue_depth", "Requests that wait now", self._admission.depth)
        yield GaugeMetricFamily(
            "turnout_model_load_seconds", "Time to load and warm the models", self._model_load_seconds
        )
        info = {"revision": self._identity.revision, "bundle_digest": self._identity.bundle_digest}
        yield InfoMetricFamily("turnout", "What serves here", info)

    def _log_metrics(self) -> Iterator[Metric]:
        written = [((), self._log.written)]
        dropped = [((reason,), count) for reason, count in self._log.dropped.items()]
        yield counter("turnout_log_records", "Prediction records written", (), written)
        yield counter("turnout_log_dropped", "Prediction records lost", ("reason",), dropped)
