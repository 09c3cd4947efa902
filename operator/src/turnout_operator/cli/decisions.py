"""What a policy does with a request: gathered for people and for programs. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_operator.api.rules import Window
from turnout_operator.cli.errors import invalid
from turnout_operator.cli.objects import Object, Objects
from turnout_operator.plan.arms import Target
from turnout_operator.plan.branches import Share
from turnout_operator.plan.explain import Answer, Request, answer
from turnout_operator.plan.routes import ArmRoute, PolicyRoute, Shadow
from turnout_operator.plan.routing_policy import resolve, unavailable
from turnout_operator.plan.rules import holds
from turnout_operator.plan.targets import assumed, known, target_of
from turnout_operator.plan.trace import Step, trace


@dataclass(frozen=True, slots=True)
class Chance:
    """An arm that may answer. `share` is the probability of that, `propensity` the one that is logged with it, and
    `ladder` the arms that are asked in turn when it can't, and `shadows` those that get copies."""

    rule: str | None
    arm: str
    revision: str | None
    propensity: float
    share: float
    ladder: tuple[str, ...]
    shadows: tuple[Shadow, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gateways do with a request. `confirmed` is None where nothing is known of gateways; `assumed` names the
    ModelDeployments that are taken as ready, `notes` say which arms can't answer."""

    route: PolicyRoute
    answer: Answer
    chances: tuple[Chance, ...]
    steps: tuple[Step, ...]
    confirmed: bool | None
    assumed: tuple[str, ...]
    notes: tuple[str, ...]


def decide(objects: Objects, policy: Object, request: Request, now: datetime) -> Decision:
    """Raises `CommandError` for a policy that the API server would refuse."""
    parsed = parse(policy)
    targets, guessed = _targets(parsed, objects)
    resolution = resolve(parsed, targets, now)
    route = resolution.route or unavailable(parsed)
    said = answer(route, request)
    notes = (*_unaccepted(parsed), *(problem.message for problem in resolution.problems))
    idle = [Step(each.name, False, _idle(each.match.window, now)) for each in parsed.spec.rules]
    steps = {step.rule: step for step in (*idle, *trace(route, request, said))}
    return Decision(route, said, _chances(said), tuple(steps.values()), _confirmed(policy, route), guessed, notes)


def _idle(window: Window | None, now: datetime) -> str:
    """Why a rule is not in force."""
    if holds(window, now):
        return "none of its arms can answer"
    assert window is not None
    start, end = (f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else "…" for time in _utc(window))
    return f"its window is {start} to {end}"


def _utc(window: Window) -> tuple[datetime | None, ...]:
    return tuple(time and time.astimezone(UTC) for time in (window.start, window.end))


def parse(policy: Object) -> RoutingPolicy:
    """The policy's model; raises `CommandError`."""
    try:
        return RoutingPolicy.model_validate(policy)
    except ValidationError as error:
        raise invalid(f"RoutingPolicy {policy['metadata']['name']}", error) from None


def _targets(policy: RoutingPolicy, objects: Objects) -> tuple[Mapping[str, Target], tuple[str, ...]]:
    found, guessed = {}, []
    for name in dict.fromkeys(arm.model_deployment for arm in policy.spec.arms):
        deployment = objects.deployments.get((policy.metadata.namespace, name))
        if deployment is not None and (objects.live or deployment.get("status")):
            found[name] = target_of(deployment)
        elif not objects.live:
            found[name] = assumed(policy, name, deployment)
            guessed.append(name)
    return found, tuple(guessed)


def _confirmed(policy: Object, route: PolicyRoute) -> bool | None:
    status: Mapping[str, Any] = policy.get("status") or {}
    gateways = status.get("gateways")
    if not gateways:
        return None
    same = status.get("policyVersion") == route.version
    return bool(same and 0 < gateways["connected"] == gateways["acked"])


def _unaccepted(policy: RoutingPolicy) -> list[str]:
    """What keeps the gateways from the policy at all, such as an older one of the same objective."""
    conditions = policy.status.conditions if policy.status else ()
    return [each.message for each in conditions if (each.type, each.status) == ("Accepted", "False")]


def _chances(said: Answer) -> tuple[Chance, ...]:
    """The arms, each once for each rule, the likeliest first."""
    whole = sum(share.width for share in said.shares)
    widths: dict[tuple[str | None, str], int] = {}
    for share in said.shares:
        widths[share.rule, share.arm.name] = widths.get((share.rule, share.arm.name), 0) + share.width
    parts = zip(said.shares, said.ladders, said.copies, strict=True)
    found = {(share.rule, share.arm.name): (share, ladder, copies) for share, ladder, copies in parts}
    chances = (_chance(*found[key], width / whole) for key, width in widths.items())
    return tuple(sorted(chances, key=lambda each: -each.share))


def _chance(share: Share, ladder: Sequence[ArmRoute], copies: tuple[Shadow, ...], of_all: float) -> Chance:
    arm, names = share.arm, tuple(each.name for each in ladder)
    return Chance(share.rule, arm.name, known(arm.revision), share.propensity, of_all, names, copies)
