"""Why a request gets its answer: what each rule of the policy says to it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from turnout_operator.plan.explain import Answer, Request, fits, received, value_of
from turnout_operator.plan.routes import TOTAL_WEIGHT, Condition, PolicyRoute, RuleRoute

_WORDS = {"prefix": "begins with", "suffix": "ends with", "contains": "contains"}
_NOT = {"prefix": "doesn't begin with", "suffix": "doesn't end with", "contains": "doesn't contain"}


@dataclass(frozen=True, slots=True)
class Step:
    """One rule: whether it decides about the request, None where that is a matter of chance; and what makes it so."""

    rule: str
    decides: bool | None
    why: str


def trace(route: PolicyRoute, request: Request, answer: Answer) -> tuple[Step, ...]:
    """A step for each rule of the route, in order; none for a request that is refused."""
    return () if answer.refused else tuple(_steps(route, received(request), answer))


def _steps(route: PolicyRoute, request: Request, answer: Answer) -> Iterator[Step]:
    decided: str | None = None
    for rule in route.rules:
        step = Step(rule.name, False, f"{decided} came first") if decided else _step(rule, request, answer.cohort)
        decided = rule.name if step.decides else decided
        yield step


def _step(rule: RuleRoute, request: Request, cohort: int | None) -> Step:
    missed = next((each for each in rule.conditions if not fits(each, request)), None)
    if missed:
        return Step(rule.name, False, f"{_value(missed, request)} (wanted: {_test(missed)})")
    reasons = [f"{each.source} {each.name} {_test(each)}" for each in rule.conditions]
    if rule.cohorts is None:
        return Step(rule.name, True, "; ".join(reasons))
    first, last = rule.cohorts
    if cohort is None:
        share = (last - first + 1) / TOTAL_WEIGHT
        return Step(rule.name, None, "; ".join([*reasons, f"without an entity, in {share:.4g} of cases by chance"]))
    if first <= cohort <= last:
        return Step(rule.name, True, "; ".join([*reasons, f"cohort {cohort} is in {first} to {last}"]))
    return Step(rule.name, False, f"cohort {cohort} is not in {first} to {last}")


def _test(condition: Condition) -> str:
    operands, is_ = condition.operands, "is not" if condition.invert else "is"
    match condition.test:
        case "present":
            return "is absent" if condition.invert else "is present"
        case "range":
            low, high = operands
            if low is None or high is None:
                return f"{is_} a number of {f'at most {high}' if low is None else f'at least {low}'}"
            return f"{is_} a number from {low} to {high}"
        case "values":
            return f"{is_} {' or '.join(map(str, operands))}"
        case test:
            return f"{(_NOT if condition.invert else _WORDS)[test]} {operands[0]}"


def _value(condition: Condition, request: Request) -> str:
    text = value_of(condition, request)
    return f"{condition.source} {condition.name} is {'absent' if text is None else repr(text)}"
