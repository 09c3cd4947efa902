"""Which split a RoutingPolicy asks for, and which one its objective gets.

An arm whose ModelDeployment is missing or has no ready revision never takes traffic: what was routed before stays until
every arm with a weight can answer. Only arms whose revision is gone are taken out of it, their share going to the
others in proportion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from turnout_operator.api.conditions import Reason
from turnout_operator.api.routing_policy import (
    Arm,
    RoutingPolicy,
    RoutingPolicyStatus,
    StickyBy,
    objective_of,
    weights_of,
)
from turnout_operator.plan.cohorts import allot, from_cohorts
from turnout_operator.plan.revision import digest
from turnout_operator.plan.routes import TOTAL_WEIGHT, ArmRoute, Layout, PolicyKey, PolicyRoute, Sticky, cluster_name

DEFAULT_TIMEOUT_SECONDS = 15.0
MARGIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """What a ModelDeployment offers to policies: its serving revision, those that exist, and its timeout.

    `guarded` are the revisions whose pods demand the gateway's certificate; `batch`: it answers no requests at all.
    """

    latest_ready: str | None
    revisions: frozenset[str]
    ready_revisions: frozenset[str]
    timeout_seconds: float
    guarded: frozenset[str] = frozenset()
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an arm can't be resolved."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One arm of the spec: `revision` is None while none can answer. Weight in basis points."""

    name: str
    model_deployment: str
    revision: str | None
    weight: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """The arms as wanted, the route to program now (None: nothing can answer), and what is wrong."""

    arms: tuple[ArmPlan, ...]
    routed: tuple[ArmPlan, ...]
    route: PolicyRoute | None
    problems: tuple[Problem, ...]


def resolve(policy: RoutingPolicy, targets: Mapping[str, Target]) -> Resolution:
    """The pure heart of the RoutingPolicy's reconcile; `targets` are the namespace's ModelDeployments by name."""
    weights = weights_of(policy.spec)
    arms, problems = [], []
    for arm in policy.spec.arms:
        revision, problem = _revision_of(arm, targets.get(arm.model_deployment))
        arms.append(ArmPlan(arm.name, arm.model_deployment, revision, weights[arm.name]))
        if problem and weights[arm.name] > 0:
            problems.append(problem)
    routed = arms if not problems else _before(policy, arms, targets) or arms
    able = tuple(arm for arm in routed if arm.revision and arm.weight > 0)
    timeout = _timeout(policy, able, targets)
    before = _layout(policy.status)
    route = _route(_key(policy), objective_of(policy), _sticky(policy.spec.sticky_by), able, timeout, before)
    return Resolution(tuple(arms), able, route and _with_targets(route, able, targets), tuple(problems))


def unavailable(policy: RoutingPolicy) -> PolicyRoute:
    """The route of an objective that is known and that nothing can answer yet."""
    objective = objective_of(policy)
    version = digest([objective, "unavailable"])[:12]
    return PolicyRoute(_key(policy), objective, version, None, (), DEFAULT_TIMEOUT_SECONDS)


def confirmed(raw: Mapping[str, Any], targets: Mapping[str, Target]) -> PolicyRoute | None:
    """The route last confirmed by the gateways, for a policy whose spec this version can't read."""
    meta, status = raw["metadata"], raw.get("status") or {}
    try:
        seen = RoutingPolicyStatus.model_validate(status)
        sticky = StickyBy.model_validate(raw["spec"]["stickyBy"]) if "stickyBy" in raw["spec"] else None
    except ValidationError:
        return None
    key = PolicyKey(meta["namespace"], meta["name"])
    arms = _observed(seen)
    route = _route(key, seen.objective or meta["name"], _sticky(sticky), arms, DEFAULT_TIMEOUT_SECONDS, _layout(seen))
    return route and _with_targets(route, arms, targets)


def _observed(status: RoutingPolicyStatus | None) -> list[ArmPlan]:
    """The arms that the gateways last confirmed to send traffic to."""
    return [
        ArmPlan(arm.name, arm.model_deployment, arm.revision, round(arm.observed_weight * 100))
        for arm in (status.arms if status else ())
        if arm.revision and arm.observed_weight
    ]


def _layout(status: RoutingPolicyStatus | None) -> Layout:
    """The cohorts as they were planned last."""
    return from_cohorts({arm.name: arm.cohorts or "" for arm in (status.arms if status else ())})


def _key(policy: RoutingPolicy) -> PolicyKey:
    return PolicyKey(policy.metadata.namespace, policy.metadata.name)


def _revision_of(arm: Arm, target: Target | None) -> tuple[str | None, Problem | None]:
    if target is None:
        text = (
            f"arm {arm.name}: there is no ModelDeployment {arm.model_deployment} in this namespace: "
            "create it or correct spec.arms[].modelDeployment"
        )
        return None, Problem(Reason.MODEL_DEPLOYMENT_NOT_FOUND, text)
    name = arm.model_deployment
    if target.batch:
        text = f"arm {arm.name}: {name} is of mode batch and answers no requests: name one of mode online"
        return None, Problem(Reason.NO_READY_REVISION, text)
    if arm.revision is None:
        if target.latest_ready:
            return target.latest_ready, None
        text = f"arm {arm.name}: {name} has no ready revision yet: see `kubectl describe md {name}`"
        return None, Problem(Reason.NO_READY_REVISION, text)
    if arm.revision in target.ready_revisions:
        return arm.revision, None
    if arm.revision in target.revisions:
        return None, Problem(Reason.NO_READY_REVISION, f"arm {arm.name}: {arm.revision} has no ready pod yet")
    known = ", ".join(sorted(target.revisions)) or "none"
    text = f"arm {arm.name}: {arm.model_deployment} has no revision {arm.revision} (it has {known})"
    return None, Problem(Reason.REVISION_NOT_FOUND, text)


def _before(policy: RoutingPolicy, wanted: Sequence[ArmPlan], targets: Mapping[str, Target]) -> list[ArmPlan]:
    """The split last confirmed by the gateways, without arms that can't answer.

    An arm gets no more than the spec now gives it: taking traffic off an arm never waits for another one.
    """
    limits = {(arm.name, arm.model_deployment): arm.weight for arm in wanted}
    arms = [
        replace(arm, weight=min(arm.weight, limits.get((arm.name, arm.model_deployment), arm.weight)))
        for arm in _observed(policy.status)
    ]
    existing = [arm for arm in arms if arm.weight and _offers(targets, arm, "revisions")]
    return [arm for arm in existing if _offers(targets, arm, "ready_revisions")] or existing


def _offers(targets: Mapping[str, Target], arm: ArmPlan, which: Literal["revisions", "ready_revisions"]) -> bool:
    target = targets.get(arm.model_deployment)
    return target is not None and arm.revision in getattr(target, which)


def _route(
    key: PolicyKey,
    objective: str,
    sticky: Sticky | None,
    arms: Sequence[ArmPlan],
    timeout: float,
    before: Layout,
) -> PolicyRoute | None:
    if not arms:
        return None
    routes = tuple(
        ArmRoute(arm.name, cluster_name(key.namespace, str(arm.revision)), str(arm.revision), weight)
        for arm, weight in zip(arms, _fill([arm.weight for arm in arms]), strict=True)
    )
    layout = allot({route.name: route.weight for route in routes}, before) if sticky else ()
    facts = [[route.name, route.revision, route.weight] for route in routes]
    version = digest([objective, sticky and [sticky.kind, sticky.name], facts, timeout, list(map(list, layout))])
    return PolicyRoute(key, objective, version[:12], sticky, routes, timeout, layout=layout)


def _with_targets(route: PolicyRoute, arms: Sequence[ArmPlan], targets: Mapping[str, Target]) -> PolicyRoute:
    """The route with what follows from its arms' revisions: whether they are guarded, and how long they may stream."""
    known = [targets[arm.model_deployment] for arm in arms if arm.model_deployment in targets]
    guarded = frozenset().union(*(target.guarded for target in known))
    return replace(
        route,
        arms=tuple(replace(arm, guarded=arm.revision in guarded) for arm in route.arms),
        stream_seconds=max((target.timeout_seconds + MARGIN_SECONDS for target in known), default=0.0),
    )


def _fill(weights: Sequence[int]) -> list[int]:
    """Scale weights to sum to `TOTAL_WEIGHT` by the largest remainder method; unchanged when they already do."""
    total = sum(weights)
    shares = [weight * TOTAL_WEIGHT // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(weights[i] * TOTAL_WEIGHT % total), i))
    for index in by_remainder[: TOTAL_WEIGHT - sum(shares)]:
        shares[index] += 1
    return shares


def _sticky(sticky: StickyBy | None) -> Sticky | None:
    if sticky is None:
        return None
    return Sticky("header", sticky.header) if sticky.header else Sticky("body", str(sticky.body_field))


def _timeout(policy: RoutingPolicy, arms: Sequence[ArmPlan], targets: Mapping[str, Target]) -> float:
    if policy.spec.timeout:
        return policy.spec.timeout.seconds
    known = [targets[arm.model_deployment].timeout_seconds for arm in arms if arm.model_deployment in targets]
    return max(known) + MARGIN_SECONDS if known else DEFAULT_TIMEOUT_SECONDS
