"""Reconciles one RoutingPolicy: resolve its arms, program the gateways, report what they confirmed."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError

from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_operator.controller.caches import Caches, arm_targets, objective_of, revision_of
from turnout_operator.controller.patience import Patience
from turnout_operator.controller.reporting import Reporter, invalid_status
from turnout_operator.kube.resources import CONFIG_MAPS, ROUTING_POLICIES, Object
from turnout_operator.kube.store import Key, key_of
from turnout_operator.plan.arms import Target
from turnout_operator.plan.revision import SPEC_KEY, is_guarded
from turnout_operator.plan.routes import PolicyKey, PolicyRoute
from turnout_operator.plan.routing_policy import Resolution, confirmed, resolve, unavailable
from turnout_operator.plan.routing_policy_status import Programmed, conflict_status, status_of
from turnout_operator.plan.rules import next_change
from turnout_operator.plan.targets import timeout_of
from turnout_operator.xds.server import XdsServer
from turnout_operator.xds.table import ObjectiveConflict

log = logging.getLogger(__name__)
ACK_SECONDS = 1.0
RECONNECT_SECONDS = 10.0


class RoutingPolicyReconciler:
    """Keeps the gateways' routes and the policy's status what the spec and the revisions say."""

    def __init__(
        self,
        caches: Caches,
        reporter: Reporter,
        xds: XdsServer,
        now: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caches = caches
        self._reporter = reporter
        self._xds = xds
        self._now = now
        self._patience = Patience(clock)
        self._routes: dict[PolicyKey, PolicyRoute] = {}

    def program(self, key: Key) -> tuple[RoutingPolicy, Resolution] | None:
        """Resolve and push the policy's route; None when there is nothing to resolve. Never raises on bad input."""
        raw = self._caches.routing_policies.get(key)
        policy_key = PolicyKey(*key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._forget(policy_key)
            return None
        if self._winner(raw) is not raw:
            self._forget(policy_key)
            return None
        try:
            policy = RoutingPolicy.model_validate(raw)
        except ValidationError:
            self._push(policy_key, confirmed(raw, self._targets(raw), self._time()))
            return None
        resolution = resolve(policy, self._targets(raw), self._time())
        self._push(policy_key, resolution.route or unavailable(policy))
        return policy, resolution

    async def program_all(self) -> None:
        """Resolve and push every policy, and forget those that are gone; lets others run in between."""
        present = list(self._caches.routing_policies.keys())
        for gone in self._routes.keys() - {PolicyKey(*key) for key in present}:
            self._forget(gone)
        for key in present:
            try:
                self.program(key)
            except Exception:
                log.exception("RoutingPolicy %s/%s can't be routed", *key)
            await asyncio.sleep(0)

    async def reconcile(self, key: Key) -> float | None:
        """One level-based pass; returns the seconds after which to look again, None when only a change matters."""
        programmed = self.program(key)
        raw = self._caches.routing_policies.get(key)
        if raw is None:
            return None
        if programmed is None:
            await self._report_refusal(raw)
            return None
        policy, resolution = programmed
        seen = self._seen(PolicyKey(*key))
        status = status_of(policy, resolution, seen, self._now())
        wait = self._wait(key, raw.get("status") or {}, status, resolution, seen)
        if wait is None:
            await self._reporter.report(ROUTING_POLICIES, raw, status)
        return min((each for each in (wait, next_change(policy.spec.rules, self._time())) if each), default=None)

    def _time(self) -> datetime:
        return datetime.fromisoformat(self._now())

    def routed(self, deployment: Key) -> set[str]:
        """The revisions of a ModelDeployment that the present routes name."""
        policies = self._caches.routing_policies.find("target", deployment)
        routes = (self._routes.get(PolicyKey(*key_of(policy))) for policy in policies)
        return {arm.revision for route in routes if route for arm in route.destinations}

    def _push(self, key: PolicyKey, route: PolicyRoute | None) -> None:
        if route is None:
            self._forget(key)
            return
        self._routes[key] = route
        try:
            self._xds.set_route(route)
        except ObjectiveConflict as conflict:
            # The holder has lost the objective or is gone, its own turn just comes later.
            self._forget(conflict.holder)
            self._xds.set_route(route)

    def _forget(self, key: PolicyKey) -> None:
        self._routes.pop(key, None)
        self._patience.over((key, "behind"))
        self._patience.over((key, "count"))
        self._xds.delete_route(key)

    def _seen(self, key: PolicyKey) -> Programmed:
        seen = self._xds.observation(key)
        return Programmed(seen.connected, seen.acked, seen.nacks)

    def _wait(self, key: Key, old: Object, new: Object, resolution: Resolution, seen: Programmed) -> float | None:
        """Seconds to hold the report back: gateways answer in milliseconds, and reconnect within seconds."""
        route = resolution.route
        if route is not None and not seen.by_all and not seen.nacks:
            known = old.get("policyVersion") == route.version
            return self._patience.left((key, "behind"), route.version, RECONNECT_SECONDS if known else ACK_SECONDS)
        self._patience.over((key, "behind"))
        if old != new and {**old, "gateways": None} == {**new, "gateways": None}:
            return self._patience.left((key, "count"), (seen.connected, seen.acked), RECONNECT_SECONDS)
        self._patience.over((key, "count"))
        return None

    async def _report_refusal(self, raw: Object) -> None:
        try:
            policy = RoutingPolicy.model_validate(raw)
        except ValidationError as error:
            await self._reporter.report(ROUTING_POLICIES, raw, invalid_status(raw, error, self._now()))
            return
        winner = self._winner(raw)
        if winner is not raw:
            status = conflict_status(policy, winner["metadata"]["name"], self._now())
            await self._reporter.report(ROUTING_POLICIES, raw, status)

    def _winner(self, raw: Object) -> Object:
        """The oldest policy of the same objective."""
        rivals = self._caches.routing_policies.find("objective", objective_of(raw)[0])
        return min(rivals, key=lambda p: (p["metadata"]["creationTimestamp"], p["metadata"]["name"]), default=raw)

    def _targets(self, raw: Object) -> dict[str, Target]:
        found = {}
        for key in arm_targets(raw):
            md = self._caches.model_deployments.get(key)
            if md is not None and not md["metadata"].get("deletionTimestamp"):
                found[key.name] = self._target(key, md)
        return found

    def _target(self, key: Key, md: Object) -> Target:
        records = [found for found in self._caches.children[CONFIG_MAPS].find("owner", key) if revision_of(found)]
        ready = {
            revision_of(live)
            for live in self._caches.deployments.find("owner", key)
            if live.get("status", {}).get("readyReplicas", 0) > 0
        }
        return Target(
            latest_ready=(md.get("status") or {}).get("latestReadyRevision"),
            revisions=frozenset(map(revision_of, records)),
            ready_revisions=frozenset(ready),
            timeout_seconds=timeout_of(md),
            guarded=frozenset(revision_of(found) for found in records if is_guarded(found["data"][SPEC_KEY])),
            batch=md["spec"].get("mode") == "batch",
        )
