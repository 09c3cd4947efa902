"""The status of a RoutingPolicy: weights are reported as observed only once every gateway confirmed them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from turnout_operator.api.conditions import ConditionType, Reason
from turnout_operator.api.routing_policy import RoutingPolicy, objective_of
from turnout_operator.plan.cohorts import cohorts_of
from turnout_operator.plan.conditions import Verdict, to_status
from turnout_operator.plan.routing_policy import Resolution
from turnout_operator.plan.rules import unreachable


@dataclass(frozen=True, slots=True)
class Programmed:
    """What the gateways said: how many are connected and run the present route, and who refused it."""

    connected: int
    acked: int
    nacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_all(self) -> bool:
        """True when there is a gateway and all of them run the present route."""
        return 0 < self.connected == self.acked


def status_of(policy: RoutingPolicy, resolution: Resolution, programmed: Programmed, now: str) -> dict[str, Any]:
    """The whole status. `now` (RFC 3339) is used only where something changed."""
    previous = policy.status.model_dump(mode="json", by_alias=True, exclude_none=True) if policy.status else {}
    route = resolution.route
    observed = route is not None and programmed.by_all
    arms = _arms(resolution, previous, observed)
    status: dict[str, Any] = {
        "observedGeneration": policy.metadata.generation,
        "conditions": to_status(
            verdicts(policy, resolution, programmed), previous.get("conditions") or (), policy.metadata.generation, now
        ),
        "objective": objective_of(policy),
        "arms": arms,
        "weights": " ".join(_brief(arm) for arm in arms),
        "gateways": {"connected": programmed.connected, "acked": programmed.acked if route else 0},
    }
    version = route.version if observed and route else previous.get("policyVersion")
    if version:
        status["policyVersion"] = version
    return status


def conflict_status(policy: RoutingPolicy, winner: str, now: str) -> dict[str, Any]:
    """The status of a policy whose objective an older policy already has."""
    text = (
        f"objective {objective_of(policy)} belongs to the older RoutingPolicy {winner}: choose another spec.objective"
    )
    said = [
        Verdict(ConditionType.ACCEPTED, "False", Reason.OBJECTIVE_CONFLICT, text),
        Verdict(ConditionType.READY, "False", Reason.OBJECTIVE_CONFLICT, text),
    ]
    previous = policy.status.model_dump(mode="json", by_alias=True) if policy.status else {}
    conditions = to_status(said, previous.get("conditions") or (), policy.metadata.generation, now)
    return {
        "observedGeneration": policy.metadata.generation,
        "conditions": conditions,
        "objective": objective_of(policy),
    }


def verdicts(policy: RoutingPolicy, resolution: Resolution, programmed: Programmed) -> list[Verdict]:
    """The conditions; Ready is derived from the others."""
    parts = [
        Verdict(ConditionType.ACCEPTED, "True", Reason.ACCEPTED, _accepted(policy)),
        _resolved(resolution, _instead(policy)),
        _programmed(resolution, programmed, _instead(policy)),
    ]
    bad = next((verdict for verdict in parts if verdict.status != "True"), None)
    if bad is None:
        return [*parts, Verdict(ConditionType.READY, "True", Reason.READY, "all gateways route as wanted")]
    return [*parts, Verdict(ConditionType.READY, "False", bad.reason, bad.message)]


def _accepted(policy: RoutingPolicy) -> str:
    idle = unreachable(policy.spec.rules)
    said = [f"no request reaches rule {rule}: rule {holder} takes them all" for rule, holder in idle.items()]
    return "; ".join(["the spec is valid", *said])


def _instead(policy: RoutingPolicy) -> str:
    """What callers get of an objective that no arm can answer."""
    fallback = policy.spec.fallback
    return "all get the static answer" if fallback and fallback.ladder[-1].static else "nothing is routed"


def _resolved(resolution: Resolution, instead: str) -> Verdict:
    kind = ConditionType.RESOLVED_REFS
    if not resolution.problems:
        return Verdict(kind, "True", Reason.RESOLVED, "every arm with a weight has a ready revision")
    text = "; ".join(problem.message for problem in resolution.problems)
    stays = "the arms that can answer share the traffic" if resolution.route else instead
    return Verdict(kind, "False", resolution.problems[0].reason, f"{text}; until then {stays}")


def _programmed(resolution: Resolution, programmed: Programmed, instead: str) -> Verdict:
    kind = ConditionType.PROGRAMMED
    if resolution.route is None:
        return Verdict(kind, "False", Reason.NO_READY_REVISION, f"no arm can answer, {instead}")
    if programmed.nacks:
        node, error = min(programmed.nacks.items())
        return Verdict(kind, "False", Reason.REJECTED_BY_GATEWAY, f"gateway {node} refused the route: {error}")
    if programmed.connected == 0:
        text = "no gateway is connected: install the chart's gateway or look at its pods"
        return Verdict(kind, "False", Reason.NO_GATEWAY, text)
    if not programmed.by_all:
        text = f"{programmed.acked} of {programmed.connected} gateways have confirmed {resolution.route.version}"
        return Verdict(kind, "False", Reason.AWAITING_GATEWAYS, text)
    return Verdict(kind, "True", Reason.PROGRAMMED, "every connected gateway has confirmed the split")


def _arms(resolution: Resolution, previous: Mapping[str, Any], observed: bool) -> list[dict[str, Any]]:
    """The arms of the spec, then those that are still routed though the spec no longer has them.

    `revision` is the one that gateways route to, and `modelDeployment` the one that this revision belongs to, which an
    edit of the spec may already have replaced.
    """
    before = {arm["name"]: arm for arm in previous.get("arms") or ()}
    now = _observed_arms(resolution) if observed else before
    arms = [
        {"name": plan.name, "modelDeployment": plan.model_deployment, "desiredWeight": plan.weight / 100}
        | ({"observedWeight": 0.0} if observed else {})
        | _seen(now.get(plan.name, {}))
        | _cohorts(plan.name, resolution, before)
        for plan in resolution.arms
    ]
    wanted = {plan.name for plan in resolution.arms}
    leaving = [arm for name, arm in now.items() if name not in wanted and arm.get("observedWeight")]
    return arms + [{**arm, "desiredWeight": 0.0} for arm in leaving]


def _cohorts(arm: str, resolution: Resolution, before: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What the next split starts from: the cohorts planned now, or last while nothing can be."""
    if resolution.route is None:
        text = before.get(arm, {}).get("cohorts", "")
    else:
        text = cohorts_of(resolution.route.layout, arm)
    return {"cohorts": text} if text else {}


def _observed_arms(resolution: Resolution) -> dict[str, dict[str, Any]]:
    weights = {arm.name: arm.weight / 100 for arm in resolution.route.arms} if resolution.route else {}
    return {
        arm.name: {
            "name": arm.name,
            "modelDeployment": arm.model_deployment,
            "revision": arm.revision,
            "observedWeight": weights[arm.name],
        }
        for arm in resolution.routed
    }


def _seen(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What gateways route for an arm; without a revision its ModelDeployment says nothing."""
    kept = ("revision", "observedWeight", "modelDeployment") if "revision" in arm else ("observedWeight",)
    return {key: arm[key] for key in kept if key in arm}


def _brief(arm: Mapping[str, Any]) -> str:
    observed = f"{arm['observedWeight']:g}" if "observedWeight" in arm else "?"
    return f"{arm['name']}={arm['desiredWeight']:g}→{observed}"
