"""Which split a RoutingPolicy asks for, and which one its objective gets.

An arm whose ModelDeployment is missing or has no ready revision never takes traffic: what was routed before stays until
every arm with a weight can answer. Only arms whose revision is gone are taken out of it, their share going to the
others in proportion. A rule goes to those of its arms that can answer; without any, later rules decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from turnout_operator.api.fallback import Fallback
from turnout_operator.api.routing_policy import RoutingPolicy, RoutingPolicyStatus, StickyBy, objective_of
from turnout_operator.api.rules import RoutingRule
from turnout_operator.api.shadow import Shadow
from turnout_operator.plan.arms import ArmPlan, Problem, Target, arms_before, observed, plan_arms
from turnout_operator.plan.cohorts import allot, from_cohorts
from turnout_operator.plan.fallback import fallback_route
from turnout_operator.plan.revision import digest
from turnout_operator.plan.routes import ArmRoute, Layout, PolicyKey, PolicyRoute, Sticky, cluster_name
from turnout_operator.plan.routes import Fallback as FallbackRoute
from turnout_operator.plan.routes import Shadow as ShadowRoute
from turnout_operator.plan.rules import rule_routes
from turnout_operator.plan.shadows import shadow_routes
from turnout_operator.plan.shares import fill

DEFAULT_TIMEOUT_SECONDS = 15.0
MARGIN_SECONDS = 1.0
_RULES = TypeAdapter(list[RoutingRule])


@dataclass(frozen=True, slots=True)
class Resolution:
    """The arms as wanted, the route to program now (None: nothing can answer), and what is wrong."""

    arms: tuple[ArmPlan, ...]
    routed: tuple[ArmPlan, ...]
    route: PolicyRoute | None
    problems: tuple[Problem, ...]


def resolve(policy: RoutingPolicy, targets: Mapping[str, Target], now: datetime) -> Resolution:
    """The pure heart of the RoutingPolicy's reconcile; `targets` are the namespace's ModelDeployments by name."""
    spec = policy.spec
    arms, found = plan_arms(spec, targets)
    weighty = {arm.name for arm in arms if arm.weight}
    ruled = {arm.name for rule in spec.rules for arm in rule.arms if arm.weight != 0}
    laddered = {rung.arm for rung in (spec.fallback.ladder if spec.fallback else ()) if rung.arm}
    shadowed = {shadow.arm for shadow in spec.shadow}
    routed = arms if found.keys().isdisjoint(weighty) else arms_before(policy.status, arms, targets) or arms
    able = tuple(arm for arm in routed if arm.revision and arm.weight > 0)
    seconds = _timeout(policy, able, targets)
    head = _Head(_key(policy), objective_of(policy), _sticky(spec.sticky_by), seconds, spec.fallback, spec.shadow)
    others = [arm for arm in arms if arm.revision and arm.name not in {each.name for each in able}]
    route = _route(head, able, others, targets, _layout(policy.status), spec.rules, now)
    problems = tuple(problem for name, problem in found.items() if name in weighty | ruled | laddered | shadowed)
    return Resolution(tuple(arms), able, route, problems)


def unavailable(policy: RoutingPolicy) -> PolicyRoute:
    """The route of an objective that is known and that no arm can answer yet: its static answer does, if it has one."""
    objective = objective_of(policy)
    fallback = fallback_route(policy.spec.fallback, {})
    version = digest([objective, "unavailable", *_ladder(fallback)])[:12]
    return PolicyRoute(_key(policy), objective, version, None, (), DEFAULT_TIMEOUT_SECONDS, fallback=fallback)


def confirmed(raw: Mapping[str, Any], targets: Mapping[str, Target], now: datetime) -> PolicyRoute | None:
    """The route last confirmed by the gateways, for a policy whose spec this version can't read."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    try:
        seen = RoutingPolicyStatus.model_validate(status)
        sticky = StickyBy.model_validate(spec["stickyBy"]) if "stickyBy" in spec else None
    except ValidationError:
        return None
    key = PolicyKey(meta["namespace"], meta["name"])
    objective, ladder = seen.objective or meta["name"], _readable_ladder(spec.get("fallback"))
    head = _Head(key, objective, _sticky(sticky), DEFAULT_TIMEOUT_SECONDS, ladder)
    return _route(head, observed(seen), (), targets, _layout(seen), _readable(spec.get("rules")), now)


def _readable(rules: Any) -> list[RoutingRule]:
    try:
        return _RULES.validate_python(rules or [])
    except ValidationError:
        return []


def _readable_ladder(fallback: Any) -> Fallback | None:
    try:
        return None if fallback is None else Fallback.model_validate(fallback)
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class _Head:
    key: PolicyKey
    objective: str
    sticky: Sticky | None
    timeout_seconds: float
    fallback: Fallback | None = None
    shadows: Sequence[Shadow] = ()


def _layout(status: RoutingPolicyStatus | None) -> Layout:
    """The cohorts as they were planned last."""
    return from_cohorts({arm.name: arm.cohorts or "" for arm in (status.arms if status else ())})


def _key(policy: RoutingPolicy) -> PolicyKey:
    return PolicyKey(policy.metadata.namespace, policy.metadata.name)


def _route(
    head: _Head,
    arms: Sequence[ArmPlan],
    others: Sequence[ArmPlan],
    targets: Mapping[str, Target],
    before: Layout,
    rules: Iterable[RoutingRule],
    now: datetime,
) -> PolicyRoute | None:
    """The route over `arms`; rules may also name `others`. What pods demand of callers is no part of its version."""
    if not arms:
        return None
    weights = fill([arm.weight for arm in arms])
    split = tuple(_destination(head, arm, weight, targets) for arm, weight in zip(arms, weights, strict=True))
    able = {arm.name: arm for arm in (*split, *(_destination(head, arm, 0, targets) for arm in others))}
    layout = allot({arm.name: arm.weight for arm in split}, before) if head.sticky else ()
    known = [targets[arm.model_deployment] for arm in (*arms, *others) if arm.model_deployment in targets]
    route = PolicyRoute(
        head.key,
        head.objective,
        "",
        head.sticky,
        split,
        head.timeout_seconds,
        stream_seconds=max((target.timeout_seconds + MARGIN_SECONDS for target in known), default=0.0),
        layout=layout,
        rules=rule_routes(rules, able, now),
        fallback=fallback_route(head.fallback, able),
        shadows=shadow_routes(head.shadows, able),
    )
    return replace(route, version=_version(route))


def _destination(head: _Head, arm: ArmPlan, weight: int, targets: Mapping[str, Target]) -> ArmRoute:
    revision, target = str(arm.revision), targets.get(arm.model_deployment)
    guarded = target is not None and revision in target.guarded
    return ArmRoute(arm.name, cluster_name(head.key.namespace, revision), revision, weight, guarded)


def _version(route: PolicyRoute) -> str:
    sticky = route.sticky and [route.sticky.kind, route.sticky.name]
    rules = [[rule.name, list(map(repr, rule.conditions)), rule.cohorts, _facts(rule.arms)] for rule in route.rules]
    parts = [route.objective, sticky, _facts(route.arms), route.timeout_seconds, list(map(list, route.layout)), rules]
    return digest([*parts, *_ladder(route.fallback), *map(_shadow, route.shadows)])[:12]


def _shadow(shadow: ShadowRoute) -> list[Any]:
    return ["shadow", *_facts([shadow.arm]), shadow.percent, shadow.max_concurrent, shadow.max_body_bytes]


def _ladder(fallback: FallbackRoute | None) -> list[Any]:
    """What a ladder adds to the version; nothing without one."""
    if fallback is None:
        return []
    settings = [sorted(fallback.failures), fallback.after, fallback.max_concurrent]
    return [[_facts(fallback.arms), repr(fallback.static), *settings]]


def _facts(arms: Iterable[ArmRoute]) -> list[Any]:
    return [[arm.name, arm.revision, arm.weight] for arm in arms]


def _sticky(sticky: StickyBy | None) -> Sticky | None:
    if sticky is None:
        return None
    if sticky.header:
        return Sticky("header", sticky.header)
    return Sticky("cookie", sticky.cookie) if sticky.cookie else Sticky("body", str(sticky.body_field))


def _timeout(policy: RoutingPolicy, arms: Sequence[ArmPlan], targets: Mapping[str, Target]) -> float:
    if policy.spec.timeout:
        return policy.spec.timeout.seconds
    known = [targets[arm.model_deployment].timeout_seconds for arm in arms if arm.model_deployment in targets]
    return max(known) + MARGIN_SECONDS if known else DEFAULT_TIMEOUT_SECONDS
