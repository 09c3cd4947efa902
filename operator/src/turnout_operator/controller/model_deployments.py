"""Reconciles one ModelDeployment: gather, decide, apply, report."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.controller.caches import Caches, is_owned_by, revision_of
from turnout_operator.controller.reporting import Reporter, invalid_status
from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import Invalid, NamespaceTerminating
from turnout_operator.kube.resources import (
    BY_KIND,
    CHILDREN,
    CONFIG_MAPS,
    CRON_JOBS,
    JOBS,
    MODEL_DEPLOYMENTS,
    Object,
    Resource,
)
from turnout_operator.kube.store import Key
from turnout_operator.kube.writes import apply, delete
from turnout_operator.plan.decision import Observed
from turnout_operator.plan.drift import contains
from turnout_operator.plan.log_delivery import LogSeen
from turnout_operator.plan.model_deployment import decide
from turnout_operator.plan.model_deployment_status import refused
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import Manifest
from turnout_operator.telemetry.metrics import WRITES

_RUNS_PODS = frozenset({"Deployment", "Job", "CronJob"})


class ModelDeploymentReconciler:
    """Makes the revisions of a ModelDeployment what its spec and its policies ask for."""

    def __init__(
        self,
        api: Api,
        caches: Caches,
        reporter: Reporter,
        settings: PlanSettings,
        now: Callable[[], str],
        routed: Callable[[Key], set[str]],
        gateway_ca: Callable[[], str],
        log_seen: Callable[[Key], LogSeen | None],
    ) -> None:
        self._log_seen = log_seen
        self._gateway_ca = gateway_ca
        self._api = api
        self._caches = caches
        self._reporter = reporter
        self._settings = settings
        self._now = now
        self._routed = routed

    async def reconcile(self, key: Key) -> None:
        """One level-based pass; raises `ApiError` when the API server refused a write, having reported it."""
        raw = self._caches.model_deployments.get(key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            return
        try:
            md = ModelDeployment.model_validate(raw)
        except ValidationError as error:
            await self._reporter.report(MODEL_DEPLOYMENTS, raw, invalid_status(raw, error, self._now()))
            return
        decision = decide(md, self._gather(key, md), self._settings, self._now())
        refusals = await self._apply(decision.manifests)
        status = decision.status
        if refusals:
            status = refused(status, str(refusals[0]), self._now())
        else:
            for name in decision.pruned:
                await self._prune(Key(key.namespace, name))
            for kind, name in decision.obsolete:
                await self._delete(BY_KIND[kind], Key(key.namespace, name))
        await self._reporter.report(MODEL_DEPLOYMENTS, raw, status)
        if refusals:
            raise refusals[0]

    def _gather(self, key: Key, md: ModelDeployment) -> Observed:
        caches = self._caches
        config_maps = {
            revision_of(found): found
            for found in caches.children[CONFIG_MAPS].find("owner", key)
            if is_owned_by(found, md.metadata.uid)
        }
        trusts_gateways = config_maps.pop("", None) is not None
        return Observed(
            config_maps=config_maps,
            deployments={revision_of(live): live for live in caches.deployments.find("owner", key)},
            pods=_by_revision(caches.pods.find("owner", key)),
            referenced=frozenset((self._referenced(key) | self._routed(key)) & config_maps.keys()),
            cron_jobs={revision_of(live): live for live in caches.children[CRON_JOBS].find("owner", key)},
            jobs=_by_revision(caches.children[JOBS].find("owner", key)),
            gateway_ca=self._gateway_ca(),
            trusts_gateways=trusts_gateways,
            log=self._log_seen(key),
        )

    def _referenced(self, key: Key) -> set[str]:
        """Revisions that a policy pins, or to which a gateway may still send traffic."""
        found = set()
        for policy in self._caches.routing_policies.find("target", key):
            routed = [arm for arm in (policy.get("status") or {}).get("arms", ()) if arm.get("observedWeight")]
            for arm in [*policy["spec"]["arms"], *routed]:
                if arm["modelDeployment"] == key.name and arm.get("revision"):
                    found.add(arm["revision"])
        return found

    async def _apply(self, manifests: tuple[Manifest, ...]) -> list[Invalid]:
        """What is not so already; the ConfigMaps and ServiceAccount before the pods that need them.

        Returns what the API server refused for good; raises what may pass.
        """
        changed = [manifest for manifest in manifests if not self._is_live(manifest)]
        refusals = await self._apply_all(m for m in changed if m["kind"] not in _RUNS_PODS)
        return refusals + await self._apply_all(m for m in changed if m["kind"] in _RUNS_PODS)

    async def _apply_all(self, manifests: Iterable[Manifest]) -> list[Invalid]:
        results = await asyncio.gather(*map(self._apply_one, manifests), return_exceptions=True)
        refusals = [result for result in results if isinstance(result, Invalid)]
        for result in results:
            if isinstance(result, BaseException) and result not in refusals:
                raise result
        for refusal in refusals:
            if isinstance(refusal, NamespaceTerminating):
                raise refusal
        return refusals

    def _is_live(self, manifest: Manifest) -> bool:
        meta = manifest["metadata"]
        live = self._caches.children[BY_KIND[manifest["kind"]]].get(Key(meta["namespace"], meta["name"]))
        return live is not None and contains(live, manifest)

    async def _apply_one(self, manifest: Manifest) -> None:
        WRITES.labels("apply", manifest["kind"]).inc()
        self._caches.children[BY_KIND[manifest["kind"]]].put(await apply(self._api, manifest))

    async def _prune(self, key: Key) -> None:
        for resource in reversed(CHILDREN):
            await self._delete(resource, key)

    async def _delete(self, resource: Resource, key: Key) -> None:
        if self._caches.children[resource].get(key):
            WRITES.labels("delete", resource.kind).inc()
            await delete(self._api, resource, key.namespace, key.name)


def _by_revision(objects: Iterable[Object]) -> dict[str, list[Object]]:
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for each in objects:
        found[revision_of(each)].append(each)
    return found
