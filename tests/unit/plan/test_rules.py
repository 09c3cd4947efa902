from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.plan.builders import NOW, arm, routing_policy

from turnout_operator.plan.arms import Target
from turnout_operator.plan.branches import branches
from turnout_operator.plan.conditions import find
from turnout_operator.plan.explain import Request, answer, cohort_of
from turnout_operator.plan.routes import TOTAL_WEIGHT, ArmRoute, Condition, PolicyKey, PolicyRoute, RuleRoute, Sticky
from turnout_operator.plan.routing_policy import Resolution, resolve
from turnout_operator.plan.routing_policy_status import Programmed, status_of
from turnout_operator.plan.rules import next_change

TIME = datetime.fromisoformat(NOW)
ARMS = (arm("main", "a"), arm("next", "b", 0))
ENTITY = {"stickyBy": {"header": "x-id"}}


def target(name: str, ready: bool = True) -> Target:
    revisions = frozenset({f"{name}-1"}) if ready else frozenset()
    return Target(f"{name}-1" if ready else None, revisions, revisions, 1.0)


TARGETS = {"a": target("a"), "b": target("b")}


def rule(name: str, to: str = "next", **match):
    return {"name": name, "match": match, "arms": [{"name": to}]}


def header(value: str, name: str = "x-region"):
    return {"headers": [{"name": name, "values": [value]}]}


def resolved(*rules, time: datetime = TIME, targets=TARGETS, **spec) -> Resolution:
    return resolve(routing_policy(*ARMS, rules=list(rules), **spec), targets, time)


def test_a_rule_sends_its_requests_to_an_arm_that_has_no_weight():
    found = resolved(rule("eu", **header("eu")))
    assert answer(found.route, Request({"x-region": "eu"})).shares[0].arm.revision == "b-1"
    assert answer(found.route, Request({"x-region": "us"})).shares[0].arm.revision == "a-1"
    assert {each.cluster for each in found.route.destinations} == {"ns/a-1", "ns/b-1"}


def test_a_rule_whose_arm_cannot_answer_is_left_to_later_rules_and_the_split_and_told():
    found = resolved(rule("eu", **header("eu")), targets={"a": target("a"), "b": target("b", ready=False)})
    assert found.route.rules == ()
    assert [problem.reason for problem in found.problems] == ["NoReadyRevision"]
    assert [each.name for each in found.routed] == ["main"]


def test_a_changed_rule_is_a_new_version():
    versions = {resolved(rule("eu", **header(value))).route.version for value in ("eu", "uk")}
    assert len(versions) == 2


def test_a_rule_holds_in_its_window_and_the_operator_looks_again_when_that_begins_and_ends():
    timed = rule("sale", window={"start": "2026-01-01T00:01:00Z", "end": "2026-01-01T00:02:00Z"})
    policy = routing_policy(*ARMS, rules=[timed])
    moments = [TIME.replace(minute=minute) for minute in (0, 1, 2)]
    assert [len(resolve(policy, TARGETS, moment).route.rules) for moment in moments] == [0, 1, 0]
    assert [next_change(policy.spec.rules, moment) for moment in moments] == [60.0, 60.0, None]


@pytest.mark.parametrize(
    ("first", "second", "idle"),
    [
        (header("eu"), {"headers": [*header("eu")["headers"], *header("a", "x-b")["headers"]]}, True),
        ({"headers": [*header("eu")["headers"], *header("a", "x-b")["headers"]]}, header("eu"), False),
        (header("eu"), header("uk"), False),
        ({"cohorts": {"first": 0, "last": 99}}, {"cohorts": {"first": 10, "last": 20}}, True),
        ({"cohorts": {"first": 0, "last": 99}}, {"cohorts": {"first": 10, "last": 200}}, False),
        ({**header("eu"), "window": {"end": "2026-02-01T00:00:00Z"}}, header("eu"), False),
    ],
)
def test_a_rule_that_no_request_reaches_is_told(first, second, idle):
    policy = routing_policy(*ARMS, rules=[rule("one", **first), rule("two", **second)], **ENTITY)
    status = status_of(policy, resolve(policy, TARGETS, TIME), Programmed(1, 1), NOW)
    message = find(status["conditions"], "Accepted")["message"]
    assert ("no request reaches rule two: rule one takes them all" in message) == idle


def split(first: int, last: int) -> dict[str, dict[str, int]]:
    return {"cohorts": {"first": first, "last": last}}


def test_cohorts_of_a_rule_hold_also_within_the_rules_after_it():
    found = resolved(rule("some", **split(0, 4_999)), rule("eu", **header("eu")), **ENTITY).route
    for entity in map(str, range(200)):
        low = cohort_of(found, entity) < 5_000
        for region, otherwise in (("eu", "eu"), ("us", None)):
            said = answer(found, Request({"x-id": entity, "x-region": region})).shares[0]
            assert said.rule == ("some" if low else otherwise)


def test_a_rule_of_cohorts_and_conditions_leaves_other_cohorts_to_the_rules_after_it():
    mixed = rule("mixed", **split(0, 4_999), **header("eu"))
    found = resolved(mixed, rule("device", "main", **header("phone", "x-device")), **ENTITY).route
    for entity in map(str, range(200)):
        low = cohort_of(found, entity) < 5_000
        asked = {"x-id": entity, "x-region": "eu", "x-device": "phone"}
        assert answer(found, Request(asked)).shares[0].rule == ("mixed" if low else "device")
        assert answer(found, Request({**asked, "x-region": "us"})).shares[0].rule == "device"
        assert answer(found, Request({"x-id": entity, "x-region": "eu"})).shares[0].rule == ("mixed" if low else None)


CONDITIONS = st.builds(Condition, st.just("header"), st.sampled_from("ab"), st.just("values"), st.just(("1",)))


@st.composite
def routes(draw: st.DrawFn) -> PolicyRoute:
    def arms() -> tuple[ArmRoute, ...]:
        share = draw(st.integers(0, TOTAL_WEIGHT))
        return ArmRoute("x", "ns/x", "x", share), ArmRoute("y", "ns/y", "y", TOTAL_WEIGHT - share)

    rules = []
    for number in range(draw(st.integers(0, 5))):
        bounds = tuple(sorted((draw(st.integers(0, 9_999)), draw(st.integers(0, 9_999)))))
        cohorts = bounds if draw(st.booleans()) else None
        conditions = tuple(dict.fromkeys(draw(st.lists(CONDITIONS, max_size=2))))
        rules.append(RuleRoute(f"r{number}", conditions, cohorts, arms()))
    return PolicyRoute(PolicyKey("ns", "p"), "p", "v", Sticky("header", "x-id"), arms(), 1.0, rules=tuple(rules))


@given(routes(), st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")), st.integers(0, 500))
def test_branches_decide_as_the_rules_do_one_after_the_other(route, headers, entity):
    said = answer(route, Request({"x-id": str(entity), **headers})).shares[0]
    cohort = cohort_of(route, str(entity))
    fits = (
        rule.name
        for rule in route.rules
        if all(headers.get(each.name) == "1" for each in rule.conditions)
        and (rule.cohorts is None or rule.cohorts[0] <= cohort <= rule.cohorts[1])
    )
    assert said.rule == next(fits, None)
    for branch in branches(route):
        assert sum(share.width for share in branch.shares) == TOTAL_WEIGHT
