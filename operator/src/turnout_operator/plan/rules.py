"""A policy's rules as the gateway gets them: those that hold now, with the arms that can answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from turnout_operator.api.arms import basis_points
from turnout_operator.api.rules import Expression, RoutingRule, Window
from turnout_operator.plan.routes import ArmRoute, Condition, Operands, RuleRoute, Test
from turnout_operator.plan.shares import fill


def rule_routes(rules: Iterable[RoutingRule], able: Mapping[str, ArmRoute], now: datetime) -> tuple[RuleRoute, ...]:
    """The rules in force at `now`; one of whose arms none can answer is left out, so that later ones decide."""
    found = ((rule, _arms(rule, able)) for rule in rules if holds(rule.match.window, now))
    return tuple(_route(rule, arms) for rule, arms in found if arms)


def next_change(rules: Iterable[RoutingRule], now: datetime) -> float | None:
    """Seconds until a rule begins or ends to hold; None when none ever will."""
    windows = [rule.match.window for rule in rules if rule.match.window]
    times = [time for window in windows for time in (window.start, window.end) if time and time > now]
    return (min(times) - now).total_seconds() if times else None


def unreachable(rules: Sequence[RoutingRule]) -> dict[str, str]:
    """The rules that no request reaches, each with the earlier rule that takes all of its requests."""
    found = {}
    for number, rule in enumerate(rules):
        holder = next((other for other in rules[:number] if _covers(other, rule)), None)
        if holder:
            found[rule.name] = holder.name
    return found


def _covers(one: RoutingRule, other: RoutingRule) -> bool:
    """Whether `one` fits every request that `other` fits."""
    mine, its = one.match, other.match
    if mine.cohorts and not (
        its.cohorts and mine.cohorts.first <= its.cohorts.first and its.cohorts.last <= mine.cohorts.last
    ):
        return False
    if mine.window and mine.window != its.window:
        return False
    return set(_conditions(one)) <= set(_conditions(other))


def holds(window: Window | None, now: datetime) -> bool:
    """Whether a rule with this window is in force."""
    if window is None:
        return True
    return (window.start is None or window.start <= now) and (window.end is None or now < window.end)


def _arms(rule: RoutingRule, able: Mapping[str, ArmRoute]) -> tuple[ArmRoute, ...]:
    weights = zip((arm.name for arm in rule.arms), basis_points(rule.arms), strict=True)
    wanted = [(able[name], weight) for name, weight in weights if weight and name in able]
    shares = fill([weight for _, weight in wanted]) if wanted else []
    return tuple(replace(arm, weight=share) for (arm, _), share in zip(wanted, shares, strict=True))


def _route(rule: RoutingRule, arms: tuple[ArmRoute, ...]) -> RuleRoute:
    cohorts = rule.match.cohorts
    return RuleRoute(rule.name, _conditions(rule), (cohorts.first, cohorts.last) if cohorts else None, arms)


def _conditions(rule: RoutingRule) -> tuple[Condition, ...]:
    match = rule.match
    found = [
        *(Condition("header", each.name, *_test(each), each.invert) for each in match.headers),
        *(Condition("query", each.name, *_test(each), each.invert) for each in match.query),
        *(Condition("body", each.field, *_test(each), each.invert) for each in match.body),
    ]
    return tuple(dict.fromkeys(found))


def _test(match: Expression) -> tuple[Test, Operands]:
    if match.range:
        return "range", (match.range.min, match.range.max)
    if match.present:
        return "present", ()
    if match.values:
        return "values", tuple(match.values)
    if match.prefix:
        return "prefix", (match.prefix,)
    return ("suffix", (match.suffix,)) if match.suffix else ("contains", (str(match.contains),))
