"""The ladder below an arm: which arms are asked in its place, and what answers when none can. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from turnout_operator.api.fallback import FAILURES
from turnout_operator.api.fallback import Fallback as Spec
from turnout_operator.plan.routes import ArmRoute, Fallback, PolicyRoute, Static


def fallback_route(spec: Spec | None, able: Mapping[str, ArmRoute]) -> Fallback | None:
    """The ladder with the arms that can answer; None where nothing is left of it. Arms come without a weight."""
    if spec is None:
        return None
    arms = tuple(replace(able[rung.arm], weight=0) for rung in spec.ladder if rung.arm and rung.arm in able)
    last = spec.ladder[-1].static
    static = Static(last.decision, last.score, last.confidence) if last else None
    if not arms and static is None:
        return None
    after = spec.after.seconds if spec.after else None
    failures = FAILURES if spec.failures is None else spec.failures
    return Fallback(arms, static, frozenset(failures), after, spec.max_concurrent)


def rungs(route: PolicyRoute, arm: ArmRoute) -> tuple[ArmRoute, ...]:
    """The arms that are asked, in this order, when `arm` can't answer: other revisions than its own, each once."""
    found: dict[str, ArmRoute] = {}
    for rung in route.fallback.arms if route.fallback else ():
        if rung.cluster != arm.cluster:
            found.setdefault(rung.cluster, rung)
    return tuple(found.values())
