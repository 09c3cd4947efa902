from datetime import datetime

from tests.unit.plan.builders import NOW, arm, routing_policy

from turnout_operator.api.conditions import ConditionType
from turnout_operator.plan.arms import Target
from turnout_operator.plan.conditions import find
from turnout_operator.plan.fallback import rungs
from turnout_operator.plan.routes import Static
from turnout_operator.plan.routing_policy import confirmed, resolve, unavailable
from turnout_operator.plan.routing_policy_status import Programmed, status_of

TIME = datetime.fromisoformat(NOW)
STATIC = {"static": {"decision": "no", "score": 0.5}}
ARMS = [arm("main", "a"), arm("new", "b", 10), arm("spare", "c", 0)]


def target(name: str, ready: bool = True) -> Target:
    known = frozenset({f"{name}-1"} if ready else ())
    return Target(f"{name}-1" if ready else None, known, known, 1.0)


READY = {name: target(name) for name in "abc"}


def route_of(*rungs, targets=READY, **more):
    return resolve(routing_policy(*ARMS, fallback={"ladder": list(rungs), **more}), targets, TIME).route


def test_the_ladder_is_the_specs_and_an_arm_without_weight_may_be_on_it():
    fallback = route_of({"arm": "spare"}, {"arm": "main"}, STATIC, after="200ms", maxConcurrent=8).fallback
    assert [(each.name, each.revision, each.weight) for each in fallback.arms] == [
        ("spare", "c-1", 0),
        ("main", "a-1", 0),
    ]
    assert fallback.static == Static("no", 0.5, 0.0)
    assert (fallback.failures, fallback.after, fallback.max_concurrent) == ({"5xx", "timeout", "overload"}, 0.2, 8)


def test_an_arm_has_the_other_arms_below_it():
    route = route_of({"arm": "spare"}, {"arm": "main"})
    below = {each.name: [rung.name for rung in rungs(route, each)] for each in route.destinations}
    assert below == {"main": ["spare"], "new": ["spare", "main"], "spare": ["main"]}


def test_arms_of_one_revision_are_no_fallback_for_each_other():
    both = [arm("main", "a", 90), arm("same", "a", 10)]
    route = resolve(routing_policy(*both, fallback={"ladder": [{"arm": "same"}]}), READY, TIME).route
    assert [rungs(route, each) for each in route.arms] == [(), ()]


def test_a_rung_that_is_not_ready_is_told_and_holds_back_nothing():
    targets = {**READY, "c": target("c", ready=False)}
    policy = routing_policy(*ARMS, fallback={"ladder": [{"arm": "spare"}, STATIC]})
    resolution = resolve(policy, targets, TIME)
    assert {each.name: each.weight for each in resolution.route.arms} == {"main": 9000, "new": 1000}
    assert resolution.route.fallback.arms == ()
    conditions = status_of(policy, resolution, Programmed(1, 1), NOW)["conditions"]
    resolved = find(conditions, ConditionType.RESOLVED_REFS)
    assert resolved["status"] == "False"
    assert "arm spare: c has no ready revision yet" in resolved["message"]


def test_every_part_of_the_ladder_is_part_of_the_version_and_no_ladder_none():
    ladders = [
        ([{"arm": "spare"}], {}),
        ([{"arm": "spare"}, STATIC], {}),
        ([{"arm": "main"}, STATIC], {}),
        ([{"arm": "main"}, {"static": {"decision": "no", "score": 0.6}}], {}),
        ([{"arm": "main"}, STATIC], {"failures": ["5xx"]}),
        ([{"arm": "main"}, STATIC], {"after": "1s"}),
        ([{"arm": "main"}, STATIC], {"maxConcurrent": 1}),
    ]
    plain = resolve(routing_policy(*ARMS), READY, TIME).route
    unready = route_of({"arm": "spare"}, targets={**READY, "c": target("c", ready=False)})
    versions = {plain.version, *(route_of(*rungs, **more).version for rungs, more in ladders)}
    assert len(versions) == len(ladders) + 1
    assert unready == plain


def test_an_objective_that_nothing_can_answer_has_its_static_answer():
    policy = routing_policy(*ARMS, fallback={"ladder": [{"arm": "spare"}, STATIC]})
    resolution = resolve(policy, {}, TIME)
    assert resolution.route is None
    conditions = status_of(policy, resolution, Programmed(1, 1), NOW)["conditions"]
    assert "all get the static answer" in find(conditions, ConditionType.READY)["message"]
    assert unavailable(policy).fallback.static == Static("no", 0.5, 0.0)
    assert unavailable(policy).version != unavailable(routing_policy(*ARMS)).version


def test_a_ladder_is_read_from_a_spec_that_is_otherwise_unreadable():
    status = {
        "arms": [
            {"name": "main", "modelDeployment": "a", "revision": "a-1", "desiredWeight": 100, "observedWeight": 100}
        ]
    }
    for ladder, known in (([{"arm": "main"}, STATIC], True), ("odd", False)):
        spec = {"arms": "odd", "fallback": {"ladder": ladder}}
        raw = {"metadata": {"namespace": "ns", "name": "p"}, "spec": spec, "status": status}
        assert (confirmed(raw, READY, TIME).fallback is not None) is known
