"""What a gateway can do: branches by conditions, each with a table of cohorts.

A gateway chooses a branch by what a request says, and within it an arm by the entity's cohort. Rules mix both: a rule
of some cohorts alone changes all later branches in these cohorts, and one that has conditions, too, doubles the later
branches for requests that fulfil them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from turnout_operator.plan.cohorts import lay_out
from turnout_operator.plan.routes import TOTAL_WEIGHT, ArmRoute, Condition, PolicyRoute, RuleRoute


@dataclass(frozen=True, slots=True)
class Share:
    """Neighbouring cohorts that go to an arm. `propensity` is the arm's share where the choice is by chance, and `rule`
    what decided; None is the policy's own split."""

    width: int
    arm: ArmRoute
    propensity: float
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """Requests that fulfil all conditions, and no earlier branch's; the widths of the shares sum to `TOTAL_WEIGHT`."""

    conditions: tuple[Condition, ...]
    shares: tuple[Share, ...]


def branches(route: PolicyRoute) -> tuple[Branch, ...]:
    """The branches in order; the last one has no conditions. None without arms."""
    return tuple(_unfold(route.rules, (), Branch((), _own_split(route)))) if route.arms else ()


def _own_split(route: PolicyRoute) -> tuple[Share, ...]:
    arms = {arm.name: arm for arm in route.arms}
    layout = route.layout or lay_out({arm.name: arm.weight for arm in route.arms})
    return tuple(_share(span.width, arms[span.arm], None) for span in layout)


def _share(width: int, arm: ArmRoute, rule: str | None) -> Share:
    return Share(width, arm, arm.weight / TOTAL_WEIGHT, rule)


def _unfold(rules: Sequence[RuleRoute], given: tuple[Condition, ...], last: Branch) -> list[Branch]:
    if not rules:
        return [replace(last, conditions=given)]
    rule, later = rules[0], rules[1:]
    conditions = tuple(dict.fromkeys((*given, *rule.conditions)))
    if rule.cohorts is None:
        found = [Branch(conditions, _split(rule))]
    else:
        found = [replace(each, shares=_overlay(each.shares, rule)) for each in _unfold(later, conditions, last)]
    if conditions != given:
        found += _unfold(later, given, last)
    return found


def _split(rule: RuleRoute, width: int = TOTAL_WEIGHT) -> tuple[Share, ...]:
    """A rule's arms over so many cohorts."""
    arms = {arm.name: arm for arm in rule.arms}
    spans = lay_out({arm.name: arm.weight for arm in rule.arms})
    ends, end = [0], 0
    for span in spans:
        end += span.width
        ends.append(round(end * width / TOTAL_WEIGHT))
    shares = [
        _share(last - first, arms[span.arm], rule.name)
        for span, (first, last) in zip(spans, pairwise(ends), strict=True)
    ]
    return tuple(share for share in shares if share.width)


def _overlay(shares: Iterable[Share], rule: RuleRoute) -> tuple[Share, ...]:
    """The shares, but for the rule's cohorts, which are the rule's."""
    assert rule.cohorts is not None
    first, last = rule.cohorts
    inside = _split(rule, last - first + 1)
    return (*_cut(shares, 0, first), *inside, *_cut(shares, last + 1, TOTAL_WEIGHT))


def _cut(shares: Iterable[Share], first: int, end: int) -> Iterable[Share]:
    """The shares of the cohorts from `first` to before `end`."""
    start = 0
    for share in shares:
        width = min(end, start + share.width) - max(first, start)
        start += share.width
        if width > 0:
            yield replace(share, width=width)
