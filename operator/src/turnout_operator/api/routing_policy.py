"""RoutingPolicy: who answers. Arms with weights, and what keeps an entity on its arm."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.arms import TOTAL, WEIGHTLESS_RULE, WEIGHTS_RULE, Arm, basis_points
from turnout_operator.api.common import Duration, at_most
from turnout_operator.api.conditions import Condition
from turnout_operator.api.fallback import AFTER_RULE, FALLBACK_ARMS_RULE, Fallback
from turnout_operator.api.meta import API_VERSION, LABEL, LABEL_MESSAGE, Resource, SpecModel, StatusModel, one_of
from turnout_operator.api.paths import BODY_FIELD_RULE, COOKIE_RULE, HEADER_RULE, OWN_HEADER_RULE
from turnout_operator.api.rules import COHORT_KEY_RULE, COHORT_NUMBER_RULE, RULE_ARMS_RULE, RoutingRule
from turnout_operator.api.schema import Column, ListMap, Names, Rule, matches
from turnout_operator.api.shadow import SHADOW_ALONE_RULE, SHADOW_ARMS_RULE, Shadow


class StickyBy(SpecModel):
    """What identifies the entity of a request: the same entity sees the same arm, also while weights grow."""

    RULES: ClassVar = (
        one_of(
            {
                "header": lambda sticky: sticky.header,
                "cookie": lambda sticky: sticky.cookie,
                "bodyField": lambda sticky: sticky.body_field,
            },
            "give exactly one of stickyBy.header, stickyBy.cookie and stickyBy.bodyField",
        ),
    )

    header: Annotated[str, Field(max_length=128), HEADER_RULE, OWN_HEADER_RULE] | None = None
    """Name of the request header that holds the entity's id, in lower case. Exactly one of header, cookie
    and bodyField is given."""
    cookie: Annotated[str, Field(max_length=128), COOKIE_RULE] | None = None
    """Name of the cookie that holds the entity's id. Exactly one of header, cookie and bodyField is given."""
    body_field: Annotated[str, Field(max_length=256), BODY_FIELD_RULE] | None = None
    """Dotted path of up to 4 names in the JSON body that holds the entity's id, for example entity_id. Exactly one of
    header, cookie and bodyField is given."""


_RULES = (RULE_ARMS_RULE, COHORT_KEY_RULE, COHORT_NUMBER_RULE, FALLBACK_ARMS_RULE, AFTER_RULE)
_SHADOW_RULES = (SHADOW_ARMS_RULE, SHADOW_ALONE_RULE)


class RoutingPolicySpec(SpecModel):
    """The wanted split of one objective's traffic."""

    RULES: ClassVar = (*_RULES, *_SHADOW_RULES)

    objective: Annotated[str, Field(max_length=63), matches(LABEL, f"objective {LABEL_MESSAGE}")] | None = None
    """The name that callers use, in /v1/<namespace>/<objective>/predict; up to 63 characters of a-z, 0-9 and -.
    Default: metadata.name."""
    arms: Annotated[
        list[Arm],
        Field(min_length=1, max_length=16),
        ListMap("name"),
        WEIGHTLESS_RULE,
        WEIGHTS_RULE,
    ]
    """Where the traffic goes, 1 to 16 arms. The first is the stable arm. With stickyBy, a changed weight moves no more
    entities than it must."""
    rules: Annotated[list[RoutingRule], Field(max_length=16), ListMap("name")] = Field(default_factory=list)
    """Segments of the traffic with a split of their own, up to 16; the first that matches a request counts. What none
    matches is split by arms."""
    sticky_by: StickyBy | None = None
    """What keeps an entity on its arm. When absent, every request is drawn by itself."""
    fallback: Fallback | None = None
    """What answers when the chosen arm can't. When absent, its failure is the answer."""
    shadow: Annotated[list[Shadow], Field(max_length=4), ListMap("arm")] = Field(default_factory=list)
    """Arms that get copies of predictions' requests, up to 4. Their answers go to the log only, and whatever becomes of
    them, callers don't notice."""
    timeout: Annotated[Duration, at_most("15m")] | None = None
    """Time for the whole request at the gateway, a duration up to 15m. Default: the largest timeout plus queue wait of
    the arms' ModelDeployments plus 1s. That much is always left to answers that stream (text/event-stream)."""


class GatewayStatus(StatusModel):
    """How far the gateways are."""

    connected: Annotated[int, Field(ge=0)] = 0
    """Gateway processes connected to the operator."""
    acked: Annotated[int, Field(ge=0)] = 0
    """Those that confirmed the present policyVersion."""


class ArmStatus(StatusModel):
    """One arm as wanted and as observed."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the arm."""
    model_deployment: Annotated[str, Field(max_length=253)]
    """Its ModelDeployment."""
    revision: Annotated[str, Field(max_length=253)] | None = None
    """The revision it resolves to; absent until there is one."""
    desired_weight: Annotated[float, Field(ge=0, le=100)]
    """Percent of the traffic that the spec wants."""
    observed_weight: Annotated[float, Field(ge=0, le=100)] | None = None
    """Percent that every connected gateway confirmed; absent until all did."""
    cohorts: Annotated[str, Field(max_length=8192)] | None = None
    """The cohorts that are this arm's, of 0 to 9999, for example 0-499,7000-7249; absent without stickyBy. A new split
    starts from these, so that the fewest entities move."""


class RoutingPolicyStatus(StatusModel):
    """What the operator and the gateways observed."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """metadata.generation that the status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = Field(default_factory=list)
    """Accepted, ResolvedRefs, Programmed and Ready."""
    policy_version: Annotated[str, Field(max_length=64)] | None = None
    """Hash of what is routed; logged with every prediction."""
    objective: Annotated[str, Field(max_length=253)] | None = None
    """The objective that is served."""
    weights: Annotated[str, Field(max_length=4096)] | None = None
    """The arms' weights as wanted and observed, for example main=90→90 challenger=10→10."""
    gateways: GatewayStatus | None = None
    """How far the gateways are."""
    arms: Annotated[list[ArmStatus], Field(max_length=16), ListMap("name")] = Field(default_factory=list)
    """The arms as wanted and as observed."""


_READY = ".status.conditions[?(@.type=='Ready')]"
_POLICY_NAME = matches(LABEL, "")
POLICY_NAME_RULE = Rule(
    f"has(self.spec.objective) || (self.metadata.name.size() <= 63 && self.metadata.name.matches(r'^({LABEL})$'))",
    f"metadata.name is the objective where spec.objective is absent, and {LABEL_MESSAGE}: choose another name or set"
    " spec.objective",
    lambda self: (
        self.spec.objective is not None or (len(self.metadata.name) <= 63 and _POLICY_NAME.check(self.metadata.name))
    ),
    field_path=".metadata.name",
)


class RoutingPolicy(Resource):
    """How the traffic of one objective is split over ModelDeployments."""

    NAMES: ClassVar = Names(
        kind="RoutingPolicy",
        plural="routingpolicies",
        singular="routingpolicy",
        short_names=("rp",),
        columns=(
            Column("Objective", ".status.objective", "The name that callers use"),
            Column("Weights", ".status.weights", "Percent of each arm, wanted and observed"),
            Column("Ready", f"{_READY}.status", "Whether every gateway routes as wanted"),
            Column("Reason", f"{_READY}.reason", "Why it is ready or not"),
            Column("Policy-Version", ".status.policyVersion", "Hash of what is routed"),
            Column("Gateways", ".status.gateways.acked", "Gateways that confirmed it", type="integer"),
            Column("Age", ".metadata.creationTimestamp", "Time since it was made", type="date"),
            Column("Connected", ".status.gateways.connected", "Gateways connected", type="integer", priority=1),
            Column("Message", f"{_READY}.message", "Why it is ready or not, for people", priority=1),
        ),
    )
    RULES: ClassVar = (POLICY_NAME_RULE,)

    api_version: Literal["serving.turnout.dev/v1alpha1"] = API_VERSION
    kind: Literal["RoutingPolicy"] = "RoutingPolicy"
    spec: RoutingPolicySpec
    status: RoutingPolicyStatus | None = None


def objective_of(policy: RoutingPolicy) -> str:
    """The name that callers use: spec.objective, else metadata.name."""
    return policy.spec.objective or policy.metadata.name


def weights_of(spec: RoutingPolicySpec) -> dict[str, int]:
    """Each arm's weight in basis points, in the spec's order; they sum to 10000. The weightless arm takes the rest."""
    return dict(zip((arm.name for arm in spec.arms), basis_points(spec.arms), strict=True))


__all__ = [
    "TOTAL",
    "Arm",
    "ArmStatus",
    "Condition",
    "GatewayStatus",
    "RoutingPolicy",
    "RoutingPolicySpec",
    "RoutingPolicyStatus",
    "StickyBy",
    "objective_of",
    "weights_of",
]
