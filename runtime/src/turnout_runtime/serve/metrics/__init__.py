"""The pod's metrics: counted while it serves, rendered when Prometheus asks. docs/metrics.md lists them."""

from collections.abc import Iterator

from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.serve.metrics.facts import fact_metrics
from turnout_runtime.serve.metrics.feedback import FeedbackCounts
from turnout_runtime.serve.metrics.log import log_metrics
from turnout_runtime.serve.metrics.memory import memory_metrics
from turnout_runtime.serve.metrics.models import model_metrics
from turnout_runtime.serve.metrics.requests import RequestCounts

__all__ = ["ServingMetrics"]


class ServingMetrics(Collector):
    """All that one serving process counts; the gauges are read where they live."""

    def __init__(
        self, identity: Identity, plane: Dataplane, log: LogWriter | None, feedback: FeedbackCounts | None = None
    ) -> None:
        self._identity, self._plane, self._log, self._feedback = identity, plane, log, feedback or FeedbackCounts()
        self._requests = RequestCounts()
        self.observe = self._requests.observe

    def collect(self) -> Iterator[Metric]:
        """Render all families."""
        yield from self._requests.collect(self._plane.admission)
        yield from memory_metrics(self._plane.cache, self._plane.idempotency)
        yield from fact_metrics(self._plane.facts)
        yield from model_metrics(self._plane.workflow.models)
        if self._log is not None:
            yield from log_metrics(self._log)
        yield from self._feedback.collect()
        info = {"revision": self._identity.revision, "bundle_digest": self._identity.bundle_digest}
        yield InfoMetricFamily("turnout", "What serves here", info)
