"""The arms of a RoutingPolicy and the arithmetic of their weights: integers, in hundredths of a percent."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from turnout_operator.api.meta import LABEL, LABEL_MESSAGE, MAX_NAME, NAME, SpecModel
from turnout_operator.api.schema import Rule, matches

TOTAL = 10_000

MODEL_DEPLOYMENT_RULE = matches(NAME, "modelDeployment must be the name of a ModelDeployment in the same namespace")
REVISION_RULE = Rule(
    "!has(self.revision) || (self.revision.startsWith(self.modelDeployment + '-')"
    " && self.revision.size() == self.modelDeployment.size() + 9)",
    "a revision is named <modelDeployment>-<8 characters>: `kubectl get md NAME -o yaml` lists them in"
    " status.revisions; leave revision out to follow the newest ready one",
    lambda arm: (
        arm.revision is None
        or (arm.revision.startswith(arm.model_deployment + "-") and len(arm.revision) == len(arm.model_deployment) + 9)
    ),
    field_path=".revision",
)


def hundredths(name: str) -> Rule:
    """A percentage with at most 2 decimals in field `name`."""
    return Rule(
        "self < 0.0 || [self * 100.0 - double(int(self * 100.0 + 0.5))].all(rest, rest > -0.000001 && rest < 0.000001)",
        f"{name} is a percentage with at most 2 decimals, for example 12.25: drop the further digits",
        lambda value: abs(value * 100 - int(value * 100 + 0.5)) < 1e-6,
    )


class Weighted(SpecModel):
    """What gets a share of some traffic."""

    weight: Annotated[float, Field(ge=0, le=100), hundredths("weight")] | None = None
    """Share of the traffic in percent, 0 to 100 with at most 2 decimals. The weights sum to 100; one arm may leave
    its weight out and takes the rest."""

    @property
    def basis_points(self) -> int | None:
        """The weight in hundredths of a percent."""
        return None if self.weight is None else int(self.weight * 100 + 0.5)


class Arm(Weighted):
    """A named destination and its share of the traffic."""

    RULES: ClassVar = (REVISION_RULE,)

    name: Annotated[str, Field(max_length=63), matches(LABEL, f"the name of an arm {LABEL_MESSAGE}")]
    """Name of the arm, unique in the policy; logged with every prediction."""
    model_deployment: Annotated[str, Field(max_length=MAX_NAME), MODEL_DEPLOYMENT_RULE]
    """The ModelDeployment in the same namespace that answers."""
    revision: Annotated[str, Field(max_length=MAX_NAME + 9)] | None = None
    """A revision of the ModelDeployment to hold on to. Default: its newest ready one."""


def _weightless(arms: Sequence[Weighted]) -> int:
    return sum(arm.weight is None for arm in arms)


def _given(arms: Sequence[Weighted]) -> int:
    return sum(arm.basis_points or 0 for arm in arms)


_SUM = "self.map(arm, has(arm.weight) ? int(arm.weight * 100.0 + 0.5) : 0).sum()"
_MISSING = "self.filter(arm, !has(arm.weight)).size()"
_REMEDY = "make them sum to 100, or leave the weight out on one arm, which then takes the rest"

WEIGHTLESS_RULE = Rule(
    f"{_MISSING} <= 1",
    "several arms have no weight: leave it out on one arm only, which then takes the rest",
    lambda arms: _weightless(arms) <= 1,
)
WEIGHTS_RULE = Rule(
    f"{_MISSING} == 0 ? {_SUM} == {TOTAL} : {_SUM} <= {TOTAL}",
    f"the weights do not sum to 100 percent: {_REMEDY}",
    lambda arms: _given(arms) <= TOTAL if _weightless(arms) else _given(arms) == TOTAL,
    message_cel=f"'the weights sum to %.2f percent: {_REMEDY}'.format([double({_SUM}) / 100.0])",
    describe=lambda arms: f"the weights sum to {_given(arms) / 100:.2f} percent: {_REMEDY}",
)


def basis_points(arms: Sequence[Weighted]) -> list[int]:
    """The arms' weights in basis points, in the given order; they sum to 10000."""
    rest = TOTAL - _given(arms)
    return [rest if arm.basis_points is None else arm.basis_points for arm in arms]
