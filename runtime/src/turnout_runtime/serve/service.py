"""One process that answers: load, serve, drain, stop."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from turnout_runtime.bundle.source import Bundle, obtain
from turnout_runtime.config import PredictionLog, RuntimeConfig
from turnout_runtime.facts.connect import connect
from turnout_runtime.feedback.keep import FeedbackLog
from turnout_runtime.feedback.record import Records
from turnout_runtime.loading import load_workflow
from turnout_runtime.log import setup
from turnout_runtime.log.privacy import Privacy
from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.serve.api.feedback import Keeper
from turnout_runtime.serve.doors import Doors
from turnout_runtime.serve.drift.begin import begin_sketches
from turnout_runtime.serve.metrics import ServingMetrics
from turnout_runtime.serve.metrics.feedback import FeedbackCounts
from turnout_runtime.serve.ports import Ports
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.served import served
from turnout_runtime.serve.sink import PredictionSink
from turnout_runtime.serve.tracing import begin_traces

if TYPE_CHECKING:
    from turnout_runtime.serve.drift.online import Online
    from turnout_runtime.sketches.document import Sketches

_log = logging.getLogger("turnout.serve")
_LOG_PATIENCE = 3.0  # seconds for the last records to reach a slow volume


class Service:
    """Everything between a configuration and the last record of its predictions."""

    def __init__(
        self,
        config: RuntimeConfig,
        cache: Path,
        ports: Ports,
        registry: CollectorRegistry,
        tell: Callable[[Phase], object],
    ) -> None:
        """`tell` hears of each phase as it begins."""
        self._config, self._cache, self._ports = config, cache, ports
        self._registry, self._tell = registry, tell
        self._readiness = Readiness()
        self._stop = asyncio.Event()
        self._end_traces: Callable[[], None] = lambda: None
        self.online: Online | None = None
        """The sketches, once there is a workflow."""

    async def sketches(self, seconds: float) -> dict[str, Any] | None:
        """The document of `GET /sketches`; None before there is a workflow."""
        return None if self.online is None else self.online.told(seconds)

    def compared(self) -> "tuple[Sketches, Sketches] | None":
        """The sketches of the last hour, and the reference's; None before there is a workflow."""
        return None if self.online is None else self.online.compared()

    def stop(self) -> None:
        """Drain and end."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until told to stop; raises a `StartError` when that cannot be."""
        on_signals(lambda: os._exit(0))  # nothing is worth waiting for before the pod is ready
        config = self._config
        log, hidden = setup.writer(config.prediction_log), setup.privacy(config.prediction_log)
        stores = connect(config.facts, config.serving.budget.facts_seconds or config.serving.timeout_seconds)
        bundle = await asyncio.to_thread(
            obtain, config.bundle.uri, config.bundle.digest, config.bundle.path, self._cache
        )
        loaded = await load_workflow(bundle, config.serving, model_server=config.model_server, requires=config.requires)
        if undeclared := sorted(loaded.facts - stores.rules.keys()):
            _log.warning("requests will fail: spec.facts lacks what the workflow fetches: %s", ", ".join(undeclared))
        await stores.warm()
        self.online = await asyncio.to_thread(
            begin_sketches, self._identity(bundle), loaded, config.prediction_log.hidden
        )
        feedback, counts = _open_feedback(config.prediction_log, log), FeedbackCounts()
        plane = dataplane(loaded.workflow, stores.rules, config.serving, config.revision)
        self._tell_of(plane, bundle, log, hidden, counts)
        records = Records(config.namespace, config.revision, hidden)
        keeper = None if feedback is None else Keeper(feedback, records, counts)
        doors = Doors(plane, self._readiness, served(config), config.serving, keeper)
        on_signals(self.stop)
        if log is not None:
            log.start()
        try:
            await self._answer(doors)
        finally:
            plane.close()
            await loaded.close()
            await stores.close()
            await asyncio.to_thread(self._end_traces)
            if feedback is not None and not await feedback.close(_LOG_PATIENCE):
                _log.error("feedback was left behind: the log's volume does not take it")
            if log is not None and not log.close(_LOG_PATIENCE):
                _log.error("records were left behind: the log's volume does not take them")

    async def _answer(self, doors: Doors) -> None:
        serving = self._config.serving
        _settle_memory()
        await doors.open(self._ports)
        self._enter(Phase.READY)
        await self._stop.wait()
        self._enter(Phase.DRAINING)
        await asyncio.sleep(serving.drain_seconds)
        self._enter(Phase.CLOSING)
        await doors.close(serving.timeout_seconds + 1)

    def _tell_of(
        self, plane: Dataplane, bundle: Bundle, log: LogWriter | None, hidden: Privacy | None, counts: FeedbackCounts
    ) -> None:
        """Have the plane's predictions counted, logged and traced."""
        config, identity = self._config, self._identity(bundle)
        metrics = ServingMetrics(identity, plane, log, counts)
        self._registry.register(metrics)
        plane.sink = PredictionSink(identity, metrics, log, hidden, config.prediction_log.sample, self.online)
        self._end_traces = begin_traces(plane, identity)

    def _identity(self, bundle: Bundle) -> Identity:
        config = self._config
        return Identity(config.namespace, config.model_deployment, config.revision, bundle.digest)

    def _enter(self, phase: Phase) -> None:
        self._readiness.phase = phase
        self._tell(phase)


def on_signals(action: Callable[[], object]) -> None:
    """What SIGTERM and SIGINT do from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, action)


def _settle_memory() -> None:
    """What is loaded stays: collections need not look at it, and a request's garbage is mostly freed by counting."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _open_feedback(settings: PredictionLog, log: LogWriter | None) -> FeedbackLog | None:
    """Segments beside those of the predictions, which the same thread seals in time."""
    if log is None:
        return None
    files = setup.segments(settings, "feedback")
    log.attend(files)
    return FeedbackLog(files)
