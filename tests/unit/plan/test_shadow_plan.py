from datetime import datetime

from tests.unit.plan.builders import NOW, arm, routing_policy

from turnout_operator.api.conditions import ConditionType
from turnout_operator.plan.arms import Target
from turnout_operator.plan.conditions import find
from turnout_operator.plan.routes import ArmRoute, Shadow
from turnout_operator.plan.routing_policy import Resolution, resolve
from turnout_operator.plan.routing_policy_status import Programmed, status_of
from turnout_operator.plan.shadows import copied_to

TIME = datetime.fromisoformat(NOW)
ARMS = (arm("main", "a"), arm("same", "a", 10), arm("next", "b", 0))


def target(name: str, ready: bool = True) -> Target:
    known = frozenset({f"{name}-1"} if ready else ())
    return Target(f"{name}-1" if ready else None, known, known, 1.0)


READY = {name: target(name) for name in "ab"}


def resolved(*shadows, targets=READY, **more) -> Resolution:
    return resolve(routing_policy(*ARMS, shadow=list(shadows), **more), targets, TIME)


def test_an_arm_without_weight_can_be_a_shadow():
    route = resolved({"arm": "next", "percent": 12.34, "maxConcurrent": 8, "maxBodySize": "1Mi"}).route
    assert route.shadows == (Shadow(ArmRoute("next", "ns/b-1", "b-1", 0), 1_234, 8, 2**20),)
    assert {each.revision for each in route.destinations} == {"a-1", "b-1"}
    assert [each.name for each in route.arms] == ["main", "same"]


def test_a_revision_gets_no_copy_of_what_it_gets_anyway():
    route = resolved({"arm": "next"}, {"arm": "same"}).route
    assert [[each.arm.name for each in copied_to(route, one)] for one in route.arms] == [["next"], ["next"]]


def test_an_unready_shadow_is_told_and_holds_nothing_back():
    found = resolved({"arm": "next"}, targets={"a": target("a"), "b": target("b", ready=False)})
    assert [each.name for each in found.route.arms] == ["main", "same"]
    assert found.route.shadows == ()
    status = status_of(routing_policy(*ARMS, shadow=[{"arm": "next"}]), found, Programmed(1, 1), NOW)
    said = find(status["conditions"], ConditionType.RESOLVED_REFS)
    assert (said["status"], said["reason"]) == ("False", "NoReadyRevision")
    assert status["arms"][0]["observedWeight"] == 90.0


def test_every_field_of_a_shadow_is_part_of_the_version():
    one = {"arm": "next", "percent": 10.0, "maxConcurrent": 8, "maxBodySize": "1Ki"}
    others = ({}, {"arm": "same"}, {"percent": 10.01}, {"maxConcurrent": 9}, {"maxBodySize": "2Ki"})
    versions = {resolved({**one, **other}).route.version for other in others} | {resolved().route.version}
    assert len(versions) == len(others) + 1
