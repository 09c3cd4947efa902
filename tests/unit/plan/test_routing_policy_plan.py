from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.plan.builders import LATER, NOW, arm, routing_policy

from turnout_operator.plan import routing_policy as plan
from turnout_operator.plan.arms import Target
from turnout_operator.plan.conditions import find
from turnout_operator.plan.routes import TOTAL_WEIGHT, Sticky
from turnout_operator.plan.routing_policy_status import Programmed, status_of
from turnout_operator.plan.shares import fill

ALL = Programmed(connected=2, acked=2)
TIME = datetime.fromisoformat(NOW)


def resolve(policy, targets):
    return plan.resolve(policy, targets, TIME)


def confirmed(raw, targets):
    return plan.confirmed(raw, targets, TIME)


def target(name: str, ready: str | None = "1", *others: str, timeout: float = 1.0) -> Target:
    known = frozenset(f"{name}-{r}" for r in (*others, *([ready] if ready else [])))
    return Target(f"{name}-{ready}" if ready else None, known, known, timeout)


def weights(resolution) -> dict[str, int]:
    return {route.name: route.weight for route in resolution.route.arms} if resolution.route else {}


def revisions(resolution) -> dict[str, str]:
    return {route.name: route.revision for route in resolution.route.arms}


def test_the_split_is_the_specs():
    policy = routing_policy(arm("main", "a"), arm("new", "b", 12.25), stickyBy={"header": "x-id"})
    resolution = resolve(policy, {"a": target("a", timeout=2.0), "b": target("b")})
    assert weights(resolution) == {"main": 8775, "new": 1225}
    assert resolution.route.sticky == Sticky("header", "x-id")
    assert resolution.route.timeout_seconds == 3.0
    assert resolution.route.arms[0].cluster == "ns/a-1"


def test_any_change_of_the_split_is_a_new_version_and_the_same_split_is_not():
    targets = {"a": target("a"), "b": target("b")}
    one = resolve(routing_policy(arm("main", "a", 90), arm("new", "b", 10)), targets)
    same = resolve(routing_policy(arm("main", "a"), arm("new", "b", 10)), targets)
    other = resolve(routing_policy(arm("main", "a", 80), arm("new", "b", 20)), targets)
    assert one.route.version == same.route.version != other.route.version


def test_an_arm_of_mode_batch_says_that_it_answers_no_requests():
    nightly = Target(None, frozenset({"b-1"}), frozenset(), 1.0, batch=True)
    resolution = resolve(routing_policy(arm("main", "a", 50), arm("new", "b", 50)), {"a": target("a"), "b": nightly})
    assert "is of mode batch and answers no requests" in resolution.problems[0].message
    assert weights(resolution) == {"main": TOTAL_WEIGHT}


def test_only_the_arms_of_guarded_revisions_are_guarded_also_of_a_policy_that_cannot_be_read():
    targets = {"a": target("a"), "b": replace(target("b", "1", "2"), guarded=frozenset({"b-1"}))}
    policy = routing_policy(arm("main", "a", 50), arm("new", "b", 50))
    resolution = resolve(policy, targets)
    assert {route.name: route.guarded for route in resolution.route.arms} == {"main": False, "new": True}
    raw = {"metadata": {"namespace": "ns", "name": "p"}, "spec": {}, "status": status_of(policy, resolution, ALL, NOW)}
    assert {route.name: route.guarded for route in confirmed(raw, targets).arms} == {"main": False, "new": True}


def test_a_guard_is_no_new_version_of_the_split():
    plain, guarded = target("a"), replace(target("a"), guarded=frozenset({"a-1"}))
    policy = routing_policy(arm("main", "a"))
    assert resolve(policy, {"a": plain}).route.version == resolve(policy, {"a": guarded}).route.version


def test_streaming_answers_get_what_the_pods_take_whatever_the_policy_says():
    targets = {"a": target("a", timeout=5.0)}
    hasty = resolve(routing_policy(arm("main", "a"), timeout="100ms"), targets).route
    assert (hasty.timeout_seconds, hasty.stream_seconds) == (0.1, 6.0)
    plain = resolve(routing_policy(arm("main", "a")), targets).route
    assert plain.timeout_seconds == plain.stream_seconds == 6.0


def test_an_arm_of_no_weight_needs_no_revision():
    resolution = resolve(routing_policy(arm("main", "a", 100), arm("new", "b", 0)), {"a": target("a")})
    assert not resolution.problems
    assert weights(resolution) == {"main": TOTAL_WEIGHT}


def test_at_first_the_arms_that_can_answer_share_the_traffic():
    policy = routing_policy(arm("main", "a", 60), arm("second", "b", 30), arm("new", "c", 10))
    resolution = resolve(policy, {"a": target("a"), "b": target("b"), "c": target("c", None)})
    assert weights(resolution) == {"main": 6667, "second": 3333}
    assert [problem.reason for problem in resolution.problems] == ["NoReadyRevision"]


def test_what_was_routed_stays_while_an_arm_cannot_answer():
    before = routing_policy(arm("main", "a", 100))
    status = status_of(before, resolve(before, {"a": target("a")}), ALL, NOW)
    edited = routing_policy(arm("main", "a", 50), arm("new", "typo", 50), status=status)
    resolution = resolve(edited, {"a": target("a", "2", "1")})
    assert weights(resolution) == {"main": TOTAL_WEIGHT}
    assert revisions(resolution) == {"main": "a-1"}
    assert resolution.problems[0].reason == "ModelDeploymentNotFound"
    later = status_of(edited, resolution, ALL, LATER)
    assert find(later["conditions"], "Ready")["status"] == "False"
    assert later["weights"] == "main=50→100 new=50→0"


def test_an_arm_that_moves_to_a_model_deployment_that_cannot_answer_stays_where_it_is_however_often_we_look():
    before = routing_policy(arm("main", "a", 100))
    status = status_of(before, resolve(before, {"a": target("a")}), ALL, NOW)
    for _ in range(3):
        edited = routing_policy(arm("main", "other", 100), status=status)
        resolution = resolve(edited, {"a": target("a"), "other": target("other", None)})
        assert revisions(resolution) == {"main": "a-1"}
        status = status_of(edited, resolution, ALL, LATER)
        assert status["arms"][0]["modelDeployment"] == "a"
    moved = resolve(routing_policy(arm("main", "other", 100), status=status), {"other": target("other")})
    assert revisions(moved) == {"main": "other-1"}


def test_taking_traffic_off_an_arm_never_waits_for_another_arm():
    targets = {"a": target("a"), "b": target("b"), "c": target("c")}
    arms = [arm("main", "a", 50), arm("one", "b", 40), arm("two", "c", 10)]
    policy = routing_policy(*arms)
    status = status_of(policy, resolve(policy, targets), ALL, NOW)
    abort = routing_policy(arm("main", "a", 90), arm("one", "b", 0), arm("two", "gone", 10), status=status)
    assert weights(resolve(abort, {"a": target("a"), "b": target("b")})) == {"main": TOTAL_WEIGHT}


def test_the_confirmed_route_of_an_unreadable_policy_is_what_was_routed():
    policy = routing_policy(arm("main", "a", 90), arm("new", "b", 10), stickyBy={"header": "x-id"})
    resolution = resolve(policy, {"a": target("a"), "b": target("b")})
    status = status_of(policy, resolution, ALL, NOW)
    raw = {
        "metadata": {"namespace": "ns", "name": "p"},
        "spec": {"arms": "of another version", "stickyBy": {"header": "x-id"}},
        "status": status,
    }
    route = confirmed(raw, {})
    assert (route.arms, route.sticky, route.objective) == (
        resolution.route.arms, resolution.route.sticky, resolution.route.objective
    )  # fmt: skip
    assert confirmed({**raw, "status": None}, {}) is None


def test_an_arm_whose_revision_has_gone_is_left_out_of_what_stays():
    policy = routing_policy(arm("main", "a", 80), arm("new", "b", 20))
    status = status_of(policy, resolve(policy, {"a": target("a"), "b": target("b")}), ALL, NOW)
    again = routing_policy(arm("main", "a", 80), arm("new", "b", 20), status=status)
    resolution = resolve(again, {"a": target("a")})
    assert weights(resolution) == {"main": TOTAL_WEIGHT}


def test_a_pinned_revision_must_exist_and_be_ready():
    policy = routing_policy(arm("main", "a", 100, revision="a-00000001"))
    offered = Target("a-00000002", frozenset({"a-00000001", "a-00000002"}), frozenset({"a-00000002"}), 1.0)
    assert resolve(policy, {"a": offered}).problems[0].reason == "NoReadyRevision"
    gone = Target("a-00000002", frozenset({"a-00000002"}), frozenset({"a-00000002"}), 1.0)
    assert resolve(policy, {"a": gone}).problems[0].reason == "RevisionNotFound"


def test_a_weight_is_observed_only_when_every_gateway_has_confirmed_it():
    policy = routing_policy(arm("main", "a", 100))
    resolution = resolve(policy, {"a": target("a")})
    some = status_of(policy, resolution, Programmed(connected=2, acked=1), NOW)
    assert "observedWeight" not in some["arms"][0]
    assert "policyVersion" not in some
    assert find(some["conditions"], "Programmed")["reason"] == "AwaitingGateways"
    done = status_of(policy, resolution, ALL, NOW)
    assert done["arms"][0]["observedWeight"] == 100.0
    assert done["policyVersion"] == resolution.route.version


def test_until_a_new_split_is_confirmed_the_old_one_is_what_is_observed():
    targets = {"a": target("a"), "b": target("b")}
    first = routing_policy(arm("main", "a", 90), arm("new", "b", 10))
    status = status_of(first, resolve(first, targets), ALL, NOW)
    moved = routing_policy(arm("main", "a", 50), arm("new", "b", 50), status=status)
    waiting = status_of(moved, resolve(moved, targets), Programmed(connected=2, acked=1), LATER)
    assert waiting["weights"] == "main=50→90 new=50→10"
    assert waiting["policyVersion"] == status["policyVersion"]


def test_a_removed_arm_stays_in_status_until_the_gateways_left_it():
    targets = {"a": target("a"), "b": target("b")}
    first = routing_policy(arm("main", "a", 90), arm("new", "b", 10))
    status = status_of(first, resolve(first, targets), ALL, NOW)
    alone = routing_policy(arm("main", "a", 100), status=status)
    waiting = status_of(alone, resolve(alone, targets), Programmed(connected=1, acked=0), LATER)
    assert [a["name"] for a in waiting["arms"]] == ["main", "new"]
    assert waiting["arms"][1]["revision"] == "b-1"
    assert [a["name"] for a in status_of(alone, resolve(alone, targets), ALL, LATER)["arms"]] == ["main"]


def test_a_refusal_names_the_gateway():
    policy = routing_policy(arm("main", "a", 100))
    said = Programmed(connected=1, acked=0, nacks={"envoy-1": "bad header"})
    ready = find(status_of(policy, resolve(policy, {"a": target("a")}), said, NOW)["conditions"], "Ready")
    assert ready["reason"] == "RejectedByGateway"
    assert "envoy-1" in ready["message"]
    assert "bad header" in ready["message"]


@given(st.lists(st.integers(1, TOTAL_WEIGHT), min_size=1, max_size=16))
def test_filling_keeps_the_sum_and_the_proportions(given_weights):
    filled = fill(given_weights)
    assert sum(filled) == TOTAL_WEIGHT
    exact = [weight * TOTAL_WEIGHT / sum(given_weights) for weight in given_weights]
    assert all(abs(share - want) < 1 for share, want in zip(filled, exact, strict=True))


def test_a_growing_arm_takes_no_entity_from_the_arms_that_stay_as_they_are():
    targets = {"a": target("a"), "b": target("b"), "c": target("c")}
    header = {"stickyBy": {"header": "x-id"}}
    first = routing_policy(arm("main", "a", 80), arm("one", "b", 10), arm("two", "c", 10), **header)
    status = status_of(first, resolve(first, targets), ALL, NOW)
    assert [said["cohorts"] for said in status["arms"]] == ["2000-9999", "0-999", "1000-1999"]
    second = routing_policy(arm("main", "a", 70), arm("one", "b", 20), arm("two", "c", 10), status=status, **header)
    grown = status_of(second, resolve(second, targets), ALL, NOW)
    assert [said["cohorts"] for said in grown["arms"]] == ["3000-9999", "0-999,2000-2999", "1000-1999"]
    again = routing_policy(arm("main", "a", 70), arm("one", "b", 20), arm("two", "c", 10), status=grown, **header)
    assert resolve(again, targets).route.version == resolve(second, targets).route.version


def test_cohorts_are_remembered_while_nothing_can_answer():
    header = {"stickyBy": {"header": "x-id"}}
    policy = routing_policy(arm("main", "a", 80), arm("one", "b", 20), **header)
    status = status_of(policy, resolve(policy, {"a": target("a"), "b": target("b")}), ALL, NOW)
    waiting = routing_policy(arm("main", "a", 80), arm("one", "b", 20), status=status, **header)
    later = status_of(waiting, resolve(waiting, {}), ALL, LATER)
    assert [said["cohorts"] for said in later["arms"]] == ["2000-9999", "0-1999"]
