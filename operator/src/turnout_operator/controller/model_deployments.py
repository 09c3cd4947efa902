"""Reconciles one ModelDeployment: gather, decide, apply, report."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from pydantic import ValidationError

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.controller.caches import Caches, revision_of
from turnout_operator.controller.reporting import Reporter, invalid_status
from turnout_operator.kube.client import Api
from turnout_operator.kube.resources import BY_KIND, CHILDREN, CONFIG_MAPS, MODEL_DEPLOYMENTS, Object
from turnout_operator.kube.store import Key
from turnout_operator.kube.writes import apply, delete
from turnout_operator.plan.drift import contains
from turnout_operator.plan.model_deployment import Observed, decide
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import Manifest
from turnout_operator.telemetry.metrics import WRITES


class ModelDeploymentReconciler:
    """Makes the revisions of a ModelDeployment what its spec and its policies ask for."""

    def __init__(
        self, api: Api, caches: Caches, reporter: Reporter, settings: PlanSettings, now: Callable[[], str]
    ) -> None:
        self._api = api
        self._caches = caches
        self._reporter = reporter
        self._settings = settings
        self._now = now

    async def reconcile(self, key: Key) -> None:
        """One level-based pass; raises `ApiError` when the API server refuses a write."""
        raw = self._caches.model_deployments.get(key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            return
        try:
            md = ModelDeployment.model_validate(raw)
        except ValidationError as error:
            await self._reporter.report(MODEL_DEPLOYMENTS, raw, invalid_status(raw, error, self._now()))
            return
        decision = decide(md, self._gather(key), self._settings, self._now())
        await self._apply(decision.manifests)
        for name in decision.pruned:
            await self._prune(Key(key.namespace, name))
        await self._reporter.report(MODEL_DEPLOYMENTS, raw, decision.status)

    def _gather(self, key: Key) -> Observed:
        caches = self._caches
        pods: defaultdict[str, list[Object]] = defaultdict(list)
        for pod in caches.pods.find("owner", key):
            pods[revision_of(pod)].append(pod)
        return Observed(
            config_maps={revision_of(cm): cm for cm in caches.children[CONFIG_MAPS].find("owner", key)},
            deployments={revision_of(live): live for live in caches.deployments.find("owner", key)},
            pods=pods,
            referenced=self._referenced(key),
        )

    def _referenced(self, key: Key) -> frozenset[str]:
        """Revisions that a policy pins, or to which a gateway may still send traffic."""
        found = set()
        for policy in self._caches.routing_policies.find("target", key):
            routed = [arm for arm in (policy.get("status") or {}).get("arms", ()) if arm.get("observedWeight")]
            for arm in [*policy["spec"]["arms"], *routed]:
                if arm["modelDeployment"] == key.name and arm.get("revision"):
                    found.add(arm["revision"])
        return frozenset(found & self._stored(key))

    def _stored(self, key: Key) -> set[str]:
        return {revision_of(cm) for cm in self._caches.children[CONFIG_MAPS].find("owner", key)}

    async def _apply(self, manifests: tuple[Manifest, ...]) -> None:
        """What is not so already; the ConfigMap and ServiceAccount before the pods that need them."""
        changed = [manifest for manifest in manifests if not self._is_live(manifest)]
        await asyncio.gather(*(self._apply_one(m) for m in changed if m["kind"] != "Deployment"))
        await asyncio.gather(*(self._apply_one(m) for m in changed if m["kind"] == "Deployment"))

    def _is_live(self, manifest: Manifest) -> bool:
        meta = manifest["metadata"]
        live = self._caches.children[BY_KIND[manifest["kind"]]].get(Key(meta["namespace"], meta["name"]))
        return live is not None and contains(live, manifest)

    async def _apply_one(self, manifest: Manifest) -> None:
        WRITES.labels("apply", manifest["kind"]).inc()
        self._caches.children[BY_KIND[manifest["kind"]]].put(await apply(self._api, manifest))

    async def _prune(self, key: Key) -> None:
        for resource in reversed(CHILDREN):
            if self._caches.children[resource].get(key):
                WRITES.labels("delete", resource.kind).inc()
                await delete(self._api, resource, key.namespace, key.name)
