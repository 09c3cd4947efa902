"""Which arms get copies of which requests; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from turnout_operator.api.shadow import Shadow as Spec
from turnout_operator.plan.routes import ArmRoute, PolicyRoute, Shadow


def shadow_routes(shadows: Iterable[Spec], able: Mapping[str, ArmRoute]) -> tuple[Shadow, ...]:
    """The shadows that can take copies. Their arms come without a weight."""
    return tuple(
        Shadow(replace(able[each.arm], weight=0), each.basis_points, each.max_concurrent, each.max_body_size.bytes)
        for each in shadows
        if each.arm in able
    )


def copied_to(route: PolicyRoute, arm: ArmRoute) -> tuple[Shadow, ...]:
    """The shadows of a prediction that `arm` answers: a revision gets no copy of what it gets anyway."""
    return tuple(each for each in route.shadows if each.arm.cluster != arm.cluster)
