"""The fallback ladder of a RoutingPolicy: what answers, rung by rung, when the chosen arm can't."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.common import DURATION_RULE, Duration, at_most
from turnout_operator.api.meta import SpecModel, one_of
from turnout_operator.api.schema import Rule, matches

Failure = Literal["5xx", "timeout", "overload"]
FAILURES: tuple[Failure, ...] = ("5xx", "timeout", "overload")

STATIC_LAST_RULE = Rule(
    "!self.exists(rung, has(rung.static)) || (has(self[self.size() - 1].static)"
    " && self.filter(rung, has(rung.static)).size() == 1)",
    "a static answer never fails: make it the last rung, and the only static one",
    lambda ladder: all(rung.static is None for rung in ladder[:-1]),
)
LADDER_ARMS_RULE = Rule(
    "self.all(rung, !has(rung.arm) || self.filter(other, has(other.arm) && other.arm == rung.arm).size() == 1)",
    "an arm is on the ladder twice: each is asked once; remove the second",
    lambda ladder: len(_arms(ladder)) == len(set(_arms(ladder))),
)


class StaticAnswer(SpecModel):
    """An answer that is the same for every request."""

    decision: Annotated[str, Field(max_length=256), matches(r"[ -~]*[!-~][ -~]*", "static.decision is printable ASCII")]
    """The decision."""
    score: Annotated[float, Field(ge=-1e9, le=1e9)]
    """The score, in the workflow's own units."""
    confidence: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    """The confidence. Default: 0.0."""


class Rung(SpecModel):
    """One rung: another arm, or a static answer."""

    RULES: ClassVar = (
        one_of(
            {"arm": lambda rung: rung.arm, "static": lambda rung: rung.static},
            "give exactly one of arm and static in each rung of fallback.ladder",
        ),
    )

    arm: Annotated[str, Field(max_length=63)] | None = None
    """Name of an arm in spec.arms; one with weight 0 answers as a fallback only. A rung that is the chosen arm itself,
    or its revision, is passed over. Exactly one of arm and static is given."""
    static: StaticAnswer | None = None
    """Answers predictions with 200 and this. Exactly one of arm and static is given."""


class Fallback(SpecModel):
    """What answers when the chosen arm can't: the rungs in order, each asked once."""

    ladder: Annotated[list[Rung], Field(min_length=1, max_length=4), STATIC_LAST_RULE, LADDER_ARMS_RULE]
    """The rungs, 1 to 4. With a static answer at the end predictions never fail (fail open); without one the last
    failure is answered (fail closed)."""
    failures: Annotated[list[Failure], Field(max_length=3)] | None = None
    """Failures that lead to the next rung: 5xx (a pod answers 500 to 599), timeout, and overload (a pod answers 429).
    A connection that is refused or breaks before an answer, and an arm without a ready pod, always do.
    Default: all three."""
    after: Annotated[Duration, at_most("15m")] | None = None
    """Time that each arm gets when timeout is one of failures, a duration up to 15m. Default: the policy's timeout,
    divided evenly among the arm and the arms of the ladder."""
    max_concurrent: Annotated[int, Field(ge=1, le=65536)] = 64
    """The most requests at once that each gateway process sends to each arm of the ladder as a fallback: what is more
    gets the static answer, or 503. It keeps an arm's overload from becoming another's. Default: 64."""


def _arms(ladder: Any) -> list[str]:
    return [rung.arm for rung in ladder if rung.arm is not None]


def _known(spec: Any) -> bool:
    return spec.fallback is None or set(_arms(spec.fallback.ladder)) <= {arm.name for arm in spec.arms}


FALLBACK_ARMS_RULE = Rule(
    "!has(self.fallback) || self.fallback.ladder.all(rung,"
    " !has(rung.arm) || self.arms.exists(own, own.name == rung.arm))",
    "fallback.ladder names an arm that spec.arms doesn't have: correct it, or add the arm with weight 0",
    _known,
    field_path=".fallback",
)
_VALID = " && ".join(DURATION_RULE.cel.replace("self", text) for text in ("self.timeout", "self.fallback.after"))
AFTER_RULE = Rule(
    f"!has(self.timeout) || !has(self.fallback) || !has(self.fallback.after) || !({_VALID})"
    " || duration(self.fallback.after) < duration(self.timeout)",
    "fallback.after must be less than timeout, or no time is left to the ladder",
    lambda spec: (
        spec.timeout is None
        or spec.fallback is None
        or spec.fallback.after is None
        or spec.fallback.after.seconds < spec.timeout.seconds
    ),
    field_path=".fallback",
)
