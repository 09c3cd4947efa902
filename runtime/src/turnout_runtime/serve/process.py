"""A pod's life: load, serve, drain, stop."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector

from turnout_runtime.bundle.source import Bundle, obtain
from turnout_runtime.config import RuntimeConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts.connect import FactStores, connect
from turnout_runtime.loading import LoadedWorkflow, load_workflow
from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.record import Identity
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.build import dataplane
from turnout_runtime.serve.admin import AdminApi
from turnout_runtime.serve.http import PredictionApi, server
from turnout_runtime.serve.metrics import ServingMetrics
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.sink import PredictionSink

_log = logging.getLogger("turnout.serve")
_LOG_PATIENCE = 3.0  # seconds for the last records to reach a slow volume


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; port 0 takes any free one."""

    host: str | None = None
    http: int = 8080
    admin: int = 8081


class Pod:
    """Everything that runs in the process, from the first probe to the last record."""

    def __init__(self, config: RuntimeConfig, cache: Path, ports: Ports) -> None:
        self._config, self._cache, self._ports = config, cache, ports
        self._readiness = Readiness()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises a `StartError` when the pod cannot serve."""
        self._on_signals(lambda: os._exit(0))  # nothing is worth waiting for before the pod is ready
        admin = web.AppRunner(AdminApi(self._readiness, self._registry).application(), access_log=None)
        await self._listen(admin, self._ports.admin, "admin")
        try:
            await self._serve()
        finally:
            await admin.cleanup()

    async def _serve(self) -> None:
        config = self._config
        log = _open_log(config)
        stores = connect(config.facts, config.serving.budget.facts_seconds or config.serving.timeout_seconds)
        bundle = await asyncio.to_thread(
            obtain, config.bundle.uri, config.bundle.digest, config.bundle.path, self._cache
        )
        loaded = await load_workflow(bundle, config.serving, model_server=config.model_server, requires=config.requires)
        await stores.warm()
        http = self._http(bundle, loaded, stores, log)
        self._on_signals(self._stop.set)
        log.start()
        try:
            await self._answer(http)
        finally:
            await stores.close()
            if not log.close(_LOG_PATIENCE):
                _log.error("records were left behind: the log's volume does not take them")

    async def _answer(self, http: web.ServerRunner) -> None:
        _settle_memory()
        await self._listen(http, self._ports.http, "http")
        self._enter(Phase.READY)
        await self._stop.wait()
        self._enter(Phase.DRAINING)
        await asyncio.sleep(self._config.serving.drain_seconds)
        self._enter(Phase.CLOSING)
        await http.cleanup()

    def _http(self, bundle: Bundle, loaded: LoadedWorkflow, stores: FactStores, log: LogWriter) -> web.ServerRunner:
        config, serving = self._config, self._config.serving
        identity = Identity(config.namespace, config.model_deployment, config.revision, bundle.digest)
        plane = dataplane(loaded.workflow, stores.rules, serving, config.revision)
        assert plane.admission is not None
        metrics = ServingMetrics(identity, plane.admission, log, loaded.model_seconds)
        self._registry.register(metrics)
        plane.sink = PredictionSink(identity, metrics, log)
        api = PredictionApi(plane, self._readiness, config.namespace, config.revision)
        return web.ServerRunner(server(api), shutdown_timeout=serving.timeout_seconds + 1)

    async def _listen(self, runner: web.BaseRunner, port: int, name: str) -> None:
        await runner.setup()
        try:
            await web.TCPSite(runner, self._ports.host, port, backlog=1024).start()
        except OSError as error:
            raise ConfigInvalid(f"cannot listen on port {port}: {error.strerror}") from error
        _log.info("listening", extra={"server": name, "port": runner.addresses[0][1]})

    def _enter(self, phase: Phase) -> None:
        self._readiness.phase = phase
        _log.info("phase", extra={"phase": phase.value, "revision": self._config.revision})

    def _on_signals(self, action: Callable[[], object]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, action)


def _settle_memory() -> None:
    """What is loaded stays: collections need not look at it, and a request's garbage is mostly freed by counting."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _open_log(config: RuntimeConfig) -> LogWriter:
    settings = config.prediction_log
    try:
        settings.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid(f"predictionLog.directory {settings.directory}: {error.strerror}") from error
    if not os.access(settings.directory, os.W_OK | os.X_OK):
        raise ConfigInvalid(f"predictionLog.directory {settings.directory} is not writable for uid {os.getuid()}")
    return LogWriter(LogFiles(settings.directory, settings.max_file_bytes, settings.max_files))
