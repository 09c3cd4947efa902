"""Shadows of a RoutingPolicy: arms that get copies of requests, and whose answers nobody gets."""

from typing import Annotated, Any

from pydantic import Field

from turnout_operator.api.arms import hundredths
from turnout_operator.api.common import Quantity, between
from turnout_operator.api.meta import SpecModel
from turnout_operator.api.schema import Rule

# No schema's minimum: the API server compares a whole number with its integral part, and 0 would do.
LEAST_RULE = Rule("self >= 0.01", "percent must be at least 0.01, or remove the shadow", lambda value: value >= 0.01)


class Shadow(SpecModel):
    """An arm that gets copies of the requests that go to the other arms."""

    arm: Annotated[str, Field(max_length=63)]
    """Name of an arm in spec.arms; it needs no weight. Requests that it gets anyway, or that its revision does, are not
    copied."""
    percent: Annotated[float, Field(ge=0, le=100), LEAST_RULE, hundredths("percent")] = 100.0
    """Share of the requests that are copied, drawn one by one, 0.01 to 100 percent with at most 2 decimals.
    Default: 100.0."""
    max_concurrent: Annotated[int, Field(ge=1, le=65536)] = 64
    """The most copies under way at once from each gateway process; as many again wait for a connection. What is more is
    not copied. Default: 64."""
    max_body_size: Annotated[Quantity, between("1Ki", "1Mi")] = Quantity("64Ki")
    """Requests with a larger body, or without a Content-Length, are not copied; a quantity from 1Ki to 1Mi.
    Default: 64Ki."""

    @property
    def basis_points(self) -> int:
        """The percentage in hundredths."""
        return int(self.percent * 100 + 0.5)


def _known(spec: Any) -> bool:
    return {shadow.arm for shadow in spec.shadow} <= {arm.name for arm in spec.arms}


SHADOW_ARMS_RULE = Rule(
    "!has(self.shadow) || self.shadow.all(each, self.arms.exists(own, own.name == each.arm))",
    "shadow names an arm that spec.arms doesn't have: correct shadow[].arm, or add the arm with weight 0",
    _known,
    field_path=".shadow",
)
SHADOW_ALONE_RULE = Rule(
    "!has(self.shadow) || self.shadow.size() == 0 || self.arms.size() > 1",
    "the only arm can't be its own shadow: add the arm that answers",
    lambda spec: not spec.shadow or len(spec.arms) > 1,
    field_path=".shadow",
)
