"""Takes keys from the queue and reconciles them, several at a time."""

import asyncio
import logging
import time

import aiohttp

from turnout_operator.controller.caches import WorkKey
from turnout_operator.controller.model_deployments import ModelDeploymentReconciler
from turnout_operator.controller.queue import WorkQueue
from turnout_operator.controller.routing_policies import RoutingPolicyReconciler
from turnout_operator.kube.errors import ApiError, NamespaceTerminating
from turnout_operator.kube.resources import MODEL_DEPLOYMENTS
from turnout_operator.kube.store import Key
from turnout_operator.telemetry.metrics import QUEUE_DEPTH, RECONCILE_SECONDS, RECONCILES

log = logging.getLogger(__name__)
CONCURRENCY = 16


class Workers:
    """The pool of workers; they run only on the leader."""

    def __init__(
        self,
        queue: WorkQueue[WorkKey],
        deployments: ModelDeploymentReconciler,
        policies: RoutingPolicyReconciler,
    ) -> None:
        self._queue = queue
        self._deployments = deployments
        self._policies = policies

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            QUEUE_DEPTH.set(len(self._queue))
            started = time.perf_counter()
            failed = await self._handle(key)
            RECONCILE_SECONDS.labels(key.kind).observe(time.perf_counter() - started)
            RECONCILES.labels(key.kind, "error" if failed else "ok").inc()
            delay = self._queue.done(key, failed=failed)
            if delay is not None:
                log.info("%s %s/%s: again in %.1f s", *key, delay)

    async def _handle(self, key: WorkKey) -> bool:
        """Reconcile one key; True when it failed. One bad object never stops the others."""
        try:
            again = await self._reconcile(key)
        except NamespaceTerminating:
            return False
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("%s %s/%s: %s", *key, error)
            return True
        except Exception:
            log.exception("%s %s/%s: unexpected", *key)
            return True
        if again is not None:
            self._queue.add_after(key, again)
        return False

    async def _reconcile(self, key: WorkKey) -> float | None:
        target = Key(key.namespace, key.name)
        if key.kind == MODEL_DEPLOYMENTS.kind:
            await self._deployments.reconcile(target)
            return None
        return await self._policies.reconcile(target)
