"""The arms of a policy and the revisions that answer for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from turnout_operator.api.conditions import Reason
from turnout_operator.api.routing_policy import Arm, RoutingPolicySpec, RoutingPolicyStatus, weights_of


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


def plan_arms(spec: RoutingPolicySpec, targets: Mapping[str, Target]) -> tuple[list[ArmPlan], dict[str, Problem]]:
    """The arms as wanted, and what is wrong with those that can't answer."""
    weights = weights_of(spec)
    arms, problems = [], {}
    for arm in spec.arms:
        revision, problem = _revision_of(arm, targets.get(arm.model_deployment))
        arms.append(ArmPlan(arm.name, arm.model_deployment, revision, weights[arm.name]))
        if problem:
            problems[arm.name] = problem
    return arms, problems


def observed(status: RoutingPolicyStatus | None) -> list[ArmPlan]:
    """The arms that the gateways last confirmed to send traffic to."""
    return [
        ArmPlan(arm.name, arm.model_deployment, arm.revision, round(arm.observed_weight * 100))
        for arm in (status.arms if status else ())
        if arm.revision and arm.observed_weight
    ]


def arms_before(
    status: RoutingPolicyStatus | None, wanted: Sequence[ArmPlan], targets: Mapping[str, Target]
) -> list[ArmPlan]:
    """The split last confirmed by the gateways, without arms that can't answer.

    An arm gets no more than the spec now gives it: taking traffic off an arm never waits for another one.
    """
    limits = {(arm.name, arm.model_deployment): arm.weight for arm in wanted}
    arms = [
        replace(arm, weight=min(arm.weight, limits.get((arm.name, arm.model_deployment), arm.weight)))
        for arm in observed(status)
    ]
    existing = [arm for arm in arms if arm.weight and _offers(targets, arm, "revisions")]
    return [arm for arm in existing if _offers(targets, arm, "ready_revisions")] or existing


def _offers(targets: Mapping[str, Target], arm: ArmPlan, which: Literal["revisions", "ready_revisions"]) -> bool:
    target = targets.get(arm.model_deployment)
    return target is not None and arm.revision in getattr(target, which)


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
