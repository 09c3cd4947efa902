"""A pod's life: one process that answers, or several under one that watches over them."""

import logging
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest

from turnout_runtime.config import RuntimeConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.serve.admin import AdminApi
from turnout_runtime.serve.drift.begin import DriftMetrics
from turnout_runtime.serve.ports import Ports
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.service import Service
from turnout_runtime.telemetry.gpu import gpu_metrics

__all__ = ["Pod", "Ports"]
_log = logging.getLogger("turnout.serve")


class Pod:
    """Everything that runs, from the first probe to the last record."""

    def __init__(self, config: RuntimeConfig, cache: Path, ports: Ports) -> None:
        self._config, self._cache, self._ports = config, cache, ports
        self._readiness = Readiness()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        if (gpus := gpu_metrics()) is not None:
            self._registry.register(gpus)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises a `StartError` when the pod cannot serve."""
        if self._config.serving.processes > 1:
            await self._several()
        else:
            await self._one()

    async def _one(self) -> None:
        service = Service(self._config, self._cache, self._ports, self._registry, self._enter)
        admin = await self._admin(AdminApi(self._readiness, self._metrics, service.sketches))
        self._registry.register(DriftMetrics(service.compared))
        try:
            await service.run()
        finally:
            await admin.cleanup()

    async def _several(self) -> None:
        from turnout_runtime.serve.workers.supervisor import Supervisor

        supervisor = Supervisor(self._config, self._cache, self._ports, self._enter)

        async def metrics() -> bytes:
            return await supervisor.metrics(await self._metrics())

        admin = await self._admin(AdminApi(self._readiness, metrics, supervisor.sketches))
        try:
            await supervisor.run()
        finally:
            await admin.cleanup()

    async def _metrics(self) -> bytes:
        return generate_latest(self._registry)

    def _enter(self, phase: Phase) -> None:
        self._readiness.phase = phase
        _log.info("phase", extra={"phase": phase.value, "revision": self._config.revision})

    async def _admin(self, api: AdminApi) -> web.AppRunner:
        runner = web.AppRunner(api.application(), access_log=None)
        await runner.setup()
        port = self._ports.admin
        try:
            await web.TCPSite(runner, self._ports.host, port, backlog=128).start()
        except OSError as error:
            raise ConfigInvalid(f"cannot listen on port {port}: {error.strerror}") from error
        _log.info("listening", extra={"server": "admin", "port": runner.addresses[0][1]})
        return runner
