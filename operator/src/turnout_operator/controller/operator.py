"""One operator process: caches that are always warm, xDS and workers only while leading."""

import asyncio
import gc
import logging
from datetime import UTC, datetime
from typing import Any

from turnout_operator.controller.caches import SELECTOR, Caches, WorkKey
from turnout_operator.controller.certificates import Certificates
from turnout_operator.controller.endpoints import EndpointFeed
from turnout_operator.controller.http import serve
from turnout_operator.controller.log_watch import LogWatch
from turnout_operator.controller.marks import Marker
from turnout_operator.controller.model_deployments import ModelDeploymentReconciler
from turnout_operator.controller.queue import WorkQueue
from turnout_operator.controller.reporting import Reporter
from turnout_operator.controller.routing_policies import RoutingPolicyReconciler
from turnout_operator.controller.scraper import Scraper
from turnout_operator.controller.settings import Settings
from turnout_operator.controller.workers import Workers
from turnout_operator.kube.client import Api
from turnout_operator.kube.custom import CustomResources, run_kopf
from turnout_operator.kube.events import EventRecorder
from turnout_operator.kube.informer import Informer
from turnout_operator.kube.lease import LeaderElection
from turnout_operator.kube.resources import CHILDREN, ENDPOINT_SLICES, MODEL_DEPLOYMENTS, PODS, ROUTING_POLICIES
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.telemetry.metrics import LEADER
from turnout_operator.xds.server import XdsServer

log = logging.getLogger(__name__)
LEASE = "turnout-operator"
RESYNC_SECONDS = 600.0
WARM_SECONDS = 60.0


class LeadershipLost(Exception):
    """Another replica leads; this process must stop writing, so it ends and is started anew."""


class Operator:
    """Wires the parts together and runs them until told to stop."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._caches = Caches()
        self._queue: WorkQueue[WorkKey] = WorkQueue()
        self._marker = Marker(self._caches, self._queue)
        self._xds = XdsServer(on_change=self._marker.policy)
        EndpointFeed(self._caches, self._xds)
        customs = {kind: self._caches.store(kind) for kind in (MODEL_DEPLOYMENTS, ROUTING_POLICIES)}
        self._customs = CustomResources(api, customs)
        self._informers = [
            Informer(api, kind, self._caches.store(kind), SELECTOR) for kind in (*CHILDREN, PODS, ENDPOINT_SLICES)
        ]
        reporter = Reporter(api, EventRecorder(api, settings.identity), customs)
        plan = PlanSettings(runtime_image=settings.runtime_image)
        self._policies = RoutingPolicyReconciler(self._caches, reporter, self._xds, _now)
        self._certificates = Certificates(
            api, settings.namespace, settings.xds_service, lambda: self._leading, self._marker.everything
        )
        logs = LogWatch(self._caches, self._marker.model_deployment)
        self._scraper = Scraper(logs, settings.scrape_seconds)
        deployments = ModelDeploymentReconciler(
            api, self._caches, reporter, plan, _now, self._policies.routed, self._certificates.authorities, logs.seen
        )
        self._workers = Workers(self._queue, deployments, self._policies)
        self._lease = LeaderElection(api, settings.namespace, LEASE, settings.identity)
        self._ready = False
        self._leading = False
        self.kopf_ready = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; raises the first error of a part, so that the process ends and is restarted."""
        gc.disable()
        kopf_stop = asyncio.Event()
        kopf = asyncio.create_task(self._watch(kopf_stop), name="kopf")
        http = await serve(self._settings.http_port, lambda: True, lambda: self._ready)
        runs = (*(informer.run for informer in self._informers), self._customs.relist, self._lead, stop.wait)
        parts = [asyncio.create_task(run(), name=run.__qualname__) for run in runs]
        try:
            await _first(kopf, *parts)
        finally:
            self._ready = False
            await _cancel(parts)
            await self._lease.release()
            await self._xds.stop()
            kopf_stop.set()
            await _end(kopf)
            await http.cleanup()

    async def _watch(self, stop: asyncio.Event) -> None:
        await self._customs.served()
        await run_kopf(self._customs, self.kopf_ready, stop)

    async def _lead(self) -> None:
        """Sync, stand by, then lead; ends only by an error."""
        await self._customs.served()
        await asyncio.gather(*(informer.synced.wait() for informer in self._informers), self._customs.sync())
        _settle_memory()
        credentials = await self._certificates.load()
        await self._xds.start(f"0.0.0.0:{self._settings.xds_port}", credentials)
        self._ready = True
        log.info("caches are synced, standing by")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._certificates.rotate())
            group.create_task(self._work())

    async def _work(self) -> None:
        warming = asyncio.create_task(self._stay_warm())
        await self._lease.acquire()
        warming.cancel()
        self._leading = True
        LEADER.set(1)
        # All routes before the first gateway is answered: one that is missing would be taken as deleted.
        await self._policies.program_all()
        self._xds.set_serving(True)
        self._marker.lead()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._workers.run())
            group.create_task(self._resync())
            group.create_task(self._scraper.run())
            group.create_task(self._hold())

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            self._marker.everything()

    async def _hold(self) -> None:
        await self._lease.hold()
        raise LeadershipLost

    async def _stay_warm(self) -> None:
        """Keep the routes of a standby rendered, so that taking over is quick."""
        while True:
            await self._policies.program_all()
            await asyncio.sleep(WARM_SECONDS)


def _settle_memory() -> None:
    """The caches live on: what is in them now is never looked at by the garbage collector again, which would otherwise
    cost a sixth of the CPU of a start with 1,000 + 1,000 objects."""
    gc.collect()
    gc.freeze()
    gc.enable()


async def _first(*tasks: asyncio.Task[Any]) -> None:
    """Wait until one of the tasks ends; raises its error."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _end(kopf: asyncio.Task[None]) -> None:
    """Wait for kopf's own shutdown; by now it can break nothing any more."""
    try:
        await asyncio.wait_for(kopf, 3)
    except TimeoutError:
        log.warning("kopf took too long to stop")
    except Exception as error:
        log.warning("kopf stopped with %r", error)


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
