"""The reconcilers around a hand-written API server: what is written, and that nothing is written twice."""

import pytest
from tests.unit.kube.fakes import FakeApi
from tests.unit.plan.builders import DIGEST, NOW

from turnout_operator.controller.caches import Caches
from turnout_operator.controller.model_deployments import ModelDeploymentReconciler
from turnout_operator.controller.reporting import Reporter
from turnout_operator.controller.routing_policies import RoutingPolicyReconciler
from turnout_operator.kube.errors import Invalid
from turnout_operator.kube.events import EventRecorder
from turnout_operator.kube.resources import CONFIG_MAPS, DEPLOYMENTS, JOBS, MODEL_DEPLOYMENTS, ROUTING_POLICIES
from turnout_operator.kube.store import Key
from turnout_operator.plan.conditions import Verdict
from turnout_operator.plan.log_delivery import LogSeen
from turnout_operator.plan.routes import PolicyKey
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.xds.observe import Observation
from turnout_operator.xds.table import ObjectiveConflict

MD = Key("ns", "m")
RP = Key("ns", "p")
BUNDLE = {"uri": "configmap://b", "digest": DIGEST}
AUTHORITY = "-----BEGIN CERTIFICATE-----"


class FakeGateways:
    """Takes routes as XdsServer does; `seen` is what its Envoys say."""

    def __init__(self) -> None:
        self.routes = {}
        self.seen = Observation(connected=1, acked=1)

    def set_route(self, route) -> None:
        for key, other in self.routes.items():
            if key != route.key and (key.namespace, other.objective) == (route.key.namespace, route.objective):
                raise ObjectiveConflict(route.objective, key)
        self.routes[route.key] = route

    def delete_route(self, key) -> None:
        self.routes.pop(key, None)

    def observation(self, key):
        return self.seen


class World:
    """Caches, API server and reconcilers wired as the operator wires them."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.caches = Caches()
        self.clock = 100.0
        self.authority = AUTHORITY
        self.gateways = FakeGateways()
        self.logs = {}
        customs = {kind: self.caches.store(kind) for kind in (MODEL_DEPLOYMENTS, ROUTING_POLICIES)}
        reporter = Reporter(self.api, EventRecorder(self.api, "me"), customs)
        settings = PlanSettings(runtime_image="runtime:1")
        self.policies = RoutingPolicyReconciler(
            self.caches, reporter, self.gateways, lambda: NOW, clock=lambda: self.clock
        )
        self.deployments = ModelDeploymentReconciler(
            self.api,
            self.caches,
            reporter,
            settings,
            lambda: NOW,
            self.policies.routed,
            lambda: self.authority,
            self.logs.get,
        )

    def put(self, kind, name: str, spec, **more) -> None:
        meta = {"namespace": "ns", "name": name, "uid": f"u-{name}", "generation": 1}
        meta |= {"resourceVersion": self.next_version(), "creationTimestamp": NOW}
        self.api.objects[kind.path("ns", name)] = {"metadata": meta, "spec": spec, **more}
        self.caches.store(kind).put({"metadata": meta, "spec": spec, **more})

    def next_version(self) -> str:
        self.api.version += 1
        return str(self.api.version)

    def model_deployment(self, **spec) -> None:
        bundle = {"uri": "configmap://b", "digest": DIGEST}
        self.put(MODEL_DEPLOYMENTS, "m", {"bundle": bundle, **spec})

    def policy(self, name: str = "p", deployment: str = "m", **spec) -> None:
        arms = [{"name": "main", "modelDeployment": deployment}]
        status = {"status": spec.pop("status")} if "status" in spec else {}
        self.put(ROUTING_POLICIES, name, {"arms": arms, **spec}, **status)

    def become_ready(self) -> None:
        for live in list(self.caches.deployments):
            replicas = live["spec"]["replicas"]
            status = {"observedGeneration": 1, "updatedReplicas": replicas, "readyReplicas": replicas}
            meta = {**live["metadata"], "resourceVersion": self.next_version()}
            self.caches.store(DEPLOYMENTS).put({**live, "metadata": meta, "status": status})

    def writes(self) -> list[str]:
        """Verb and collection of the writes since the last call."""
        done, self.api.requests = self.api.requests, []
        return [f"{verb} {path.split('/namespaces/ns/')[1].split('/')[0]}" for verb, path in done if verb != "GET"]

    def status(self, kind=MODEL_DEPLOYMENTS, key: Key = MD):
        return self.caches.store(kind).get(key)["status"]


@pytest.fixture
def world() -> World:
    return World()


async def test_children_come_in_the_order_of_dependence_and_then_nothing_is_written_again(world):
    world.model_deployment()
    await world.deployments.reconcile(MD)
    written = [write for write in world.writes() if "events" not in write]
    assert set(written[:4]) == {
        "PATCH configmaps", "PATCH serviceaccounts", "PATCH services", "PATCH poddisruptionbudgets"
    }  # fmt: skip
    assert written[4:] == ["PATCH deployments", "PATCH modeldeployments"]
    await world.deployments.reconcile(MD)
    await world.deployments.reconcile(MD)
    assert world.writes() in ([], ["PATCH modeldeployments"])
    await world.deployments.reconcile(MD)
    assert world.writes() == []


async def test_what_the_pods_say_of_their_log_is_told_once_and_leaves_ready_alone(world):
    world.model_deployment(predictionLog={"sinks": [{"name": "lake", "objectStore": {"uri": "s3://logs"}}]})
    await world.deployments.reconcile(MD)
    world.become_ready()
    await world.deployments.reconcile(MD)
    assert log_condition(world) == ("Unknown", "NotObserved")
    good = Verdict("LogDelivering", "True", "Delivering", "1 pod to lake")
    bad = Verdict("LogDelivering", "False", "SinkUnavailable", "sink lake of 1 of 1 pods")
    world.writes()
    for verdict, events in ((good, 0), (bad, 1), (good, 1)):
        world.logs[MD] = LogSeen(verdict, "<2m")
        await world.deployments.reconcile(MD)
        assert log_condition(world) == (verdict.status, verdict.reason)
        assert world.writes() == ["PATCH modeldeployments", *["POST events"] * events]
        assert world.status()["conditions"][-1]["reason"] == "Ready"
    assert world.status()["logLag"] == "<2m"
    world.logs.clear()
    await world.deployments.reconcile(MD)
    assert world.writes() == []


def log_condition(world: World) -> tuple[str, str]:
    (found,) = [each for each in world.status()["conditions"] if each["type"] == "LogDelivering"]
    return found["status"], found["reason"]


async def test_drift_is_mended(world):
    world.model_deployment()
    await world.deployments.reconcile(MD)
    await world.deployments.reconcile(MD)
    world.writes()
    live = next(iter(world.caches.deployments))
    drifted = {**live, "spec": {**live["spec"], "replicas": 7}}
    drifted["metadata"] = {**live["metadata"], "resourceVersion": world.next_version()}
    world.caches.store(DEPLOYMENTS).put(drifted)
    await world.deployments.reconcile(MD)
    assert "PATCH deployments" in world.writes()


BATCH = {"mode": "batch", "batch": {"input": "pvc://d/i.csv", "output": "pvc://d/o.csv"}}


def only(world: World, kind) -> dict:
    (found,) = world.caches.store(kind)
    return found


async def test_a_job_is_made_once_told_of_and_deleted_with_its_spec(world):
    world.model_deployment(**BATCH)
    await world.deployments.reconcile(MD)
    written = [write for write in world.writes() if "events" not in write]
    assert set(written[:2]) == {"PATCH configmaps", "PATCH serviceaccounts"}
    assert written[2:] == ["PATCH jobs", "PATCH modeldeployments"]
    made = only(world, JOBS)
    done = {"succeeded": 1, "completedIndexes": "0", "conditions": [{"type": "Complete", "status": "True"}]}
    world.caches.store(JOBS).put(
        {**made, "status": done, "metadata": {**made["metadata"], "resourceVersion": world.next_version()}}
    )
    await world.deployments.reconcile(MD)
    assert world.status()["batch"]["phase"] == "Succeeded"
    world.writes()
    await world.deployments.reconcile(MD)
    assert world.writes() == []
    changed = {**BATCH, "batch": {**BATCH["batch"], "run": "again"}}
    world.put(MODEL_DEPLOYMENTS, "m", {"bundle": BUNDLE, **changed}, status=world.status())
    await world.deployments.reconcile(MD)
    assert {"PATCH jobs", "DELETE jobs"} <= set(world.writes())


async def test_the_gateways_authority_is_kept_up_to_date_and_goes_with_the_last_that_needs_it(world):
    world.model_deployment(serving={"access": "GatewayOnly"})
    for _ in range(2):
        await world.deployments.reconcile(MD)
    trusted = world.caches.children[CONFIG_MAPS].get(Key("ns", "m-turnout-gateway-ca"))
    assert trusted["data"] == {"ca.crt": AUTHORITY}
    world.writes()
    await world.deployments.reconcile(MD)
    assert world.writes() == []
    world.authority = "renewed"
    await world.deployments.reconcile(MD)
    assert world.writes() == ["PATCH configmaps"]
    records = world.caches.children[CONFIG_MAPS]
    records.delete(next(found for found in records if "serving.turnout.dev/revision" in found["metadata"]["labels"]))
    world.model_deployment()
    await world.deployments.reconcile(MD)
    assert "DELETE configmaps" in world.writes()


async def test_routes_know_which_revisions_are_guarded(world):
    world.model_deployment(serving={"access": "GatewayOnly"})
    await world.deployments.reconcile(MD)
    world.become_ready()
    await world.deployments.reconcile(MD)
    world.policy()
    await world.policies.reconcile(RP)
    assert [arm.guarded for arm in world.gateways.routes[PolicyKey(*RP)].arms] == [True]


async def test_an_object_being_deleted_is_left_alone(world):
    world.model_deployment()
    world.caches.model_deployments.get(MD)["metadata"]["deletionTimestamp"] = NOW
    await world.deployments.reconcile(MD)
    assert world.writes() == []


async def test_what_pydantic_refuses_becomes_a_condition_and_children_stay(world):
    world.model_deployment()
    await world.deployments.reconcile(MD)
    world.writes()
    world.model_deployment(fieldOfTheFuture=1)
    await world.deployments.reconcile(MD)
    assert [write for write in world.writes() if "events" not in write] == ["PATCH modeldeployments"]
    accepted = world.status()["conditions"][0]
    assert (accepted["type"], accepted["status"]) == ("Accepted", "False")
    assert "fieldOfTheFuture" in accepted["message"]


async def test_a_refused_write_is_reported_and_the_other_objects_are_applied(world):
    world.model_deployment()
    world.api.refusals["deployments"] = Invalid(403, "Forbidden", "exceeded quota: gpus")
    with pytest.raises(Invalid):
        await world.deployments.reconcile(MD)
    ready = world.status()["conditions"][-1]
    assert (ready["status"], ready["reason"]) == ("False", "RefusedByAPIServer")
    assert "exceeded quota" in ready["message"]
    assert "PATCH services" in world.writes()


async def test_a_model_deployment_that_cannot_be_read_does_not_stop_its_policies(world):
    await ready_world(world)
    bundle = {"uri": "configmap://b", "digest": DIGEST}
    world.put(MODEL_DEPLOYMENTS, "m", {"bundle": bundle, "fieldOfTheFuture": 1}, status=world.status())
    await world.policies.reconcile(RP)
    assert PolicyKey(*RP) in world.gateways.routes


async def test_a_policy_that_cannot_be_read_keeps_its_confirmed_route_after_a_restart(world):
    await ready_world(world)
    await world.policies.reconcile(RP)
    route = world.gateways.routes.pop(PolicyKey(*RP))
    world.policy(fieldOfTheFuture=1, status=world.status(ROUTING_POLICIES, RP))
    await world.policies.reconcile(RP)
    assert world.gateways.routes[PolicyKey(*RP)].arms == route.arms
    assert world.status(ROUTING_POLICIES, RP)["conditions"][0]["reason"] == "Invalid"


async def ready_world(world) -> World:
    world.model_deployment()
    await world.deployments.reconcile(MD)
    world.become_ready()
    await world.deployments.reconcile(MD)
    world.policy()
    world.writes()
    return world


async def test_a_policy_is_programmed_then_reported_once(world):
    await ready_world(world)
    assert await world.policies.reconcile(RP) is None
    assert [write for write in world.writes() if "events" not in write] == ["PATCH routingpolicies"]
    assert world.status(ROUTING_POLICIES, RP)["weights"] == "main=100→100"
    await world.policies.reconcile(RP)
    assert world.writes() == []


async def test_the_report_waits_a_moment_for_the_gateways_and_then_says_who_is_missing(world):
    await ready_world(world)
    world.gateways.seen = Observation(connected=2, acked=1)
    assert await world.policies.reconcile(RP) == pytest.approx(1.0)
    assert world.writes() == []
    world.clock += 1.5
    assert await world.policies.reconcile(RP) is None
    assert world.status(ROUTING_POLICIES, RP)["conditions"][-1]["reason"] == "AwaitingGateways"


async def test_after_a_restart_gateways_that_have_not_come_back_yet_are_no_news(world):
    await ready_world(world)
    await world.policies.reconcile(RP)
    world.writes()
    world.gateways.seen = Observation(connected=0, acked=0)
    assert await world.policies.reconcile(RP) == pytest.approx(10.0)
    assert world.writes() == []
    world.clock += 11
    await world.policies.reconcile(RP)
    assert world.status(ROUTING_POLICIES, RP)["conditions"][-1]["reason"] == "NoGateway"


async def test_a_gateway_that_comes_and_goes_is_not_written_but_a_lasting_number_is(world):
    await ready_world(world)
    await world.policies.reconcile(RP)
    world.writes()
    world.gateways.seen = Observation(connected=2, acked=2)
    assert await world.policies.reconcile(RP) == pytest.approx(10.0)
    world.gateways.seen = Observation(connected=1, acked=1)
    world.clock += 5
    assert await world.policies.reconcile(RP) is None
    world.gateways.seen = Observation(connected=3, acked=3)
    assert await world.policies.reconcile(RP) == pytest.approx(10.0)
    assert world.writes() == []
    world.clock += 10.1
    assert await world.policies.reconcile(RP) is None
    assert world.status(ROUTING_POLICIES, RP)["gateways"] == {"connected": 3, "acked": 3}


async def test_a_gateway_that_is_still_catching_up_is_no_news(world):
    await ready_world(world)
    await world.policies.reconcile(RP)
    world.writes()
    world.gateways.seen = Observation(connected=2, acked=1)
    assert await world.policies.reconcile(RP) == pytest.approx(10.0)
    assert world.writes() == []


async def test_a_deleted_policy_is_routed_no_more(world):
    await ready_world(world)
    await world.policies.reconcile(RP)
    assert PolicyKey(*RP) in world.gateways.routes
    world.caches.routing_policies.delete(world.caches.routing_policies.get(RP))
    await world.policies.reconcile(RP)
    assert world.gateways.routes == {}


async def test_a_new_leader_forgets_policies_that_went_while_it_stood_by(world):
    await ready_world(world)
    await world.policies.program_all()
    assert list(world.gateways.routes) == [PolicyKey(*RP)]
    world.caches.routing_policies.delete(world.caches.routing_policies.get(RP))
    await world.policies.program_all()
    assert world.gateways.routes == {}


async def test_an_objective_that_nothing_can_answer_is_known_to_the_gateways(world):
    world.policy(deployment="missing")
    await world.policies.reconcile(RP)
    assert world.gateways.routes[PolicyKey(*RP)].arms == ()
    assert world.status(ROUTING_POLICIES, RP)["conditions"][-1]["reason"] == "ModelDeploymentNotFound"


async def test_of_two_policies_for_one_objective_the_older_wins_and_the_other_takes_over_when_it_goes(world):
    await ready_world(world)
    world.policy("q", objective="p")
    for key in (Key("ns", "q"), RP):
        await world.policies.reconcile(key)
    assert list(world.gateways.routes) == [PolicyKey(*RP)]
    assert world.status(ROUTING_POLICIES, Key("ns", "q"))["conditions"][0]["reason"] == "ObjectiveConflict"
    world.caches.routing_policies.delete(world.caches.routing_policies.get(RP))
    await world.policies.reconcile(Key("ns", "q"))
    assert list(world.gateways.routes) == [PolicyKey("ns", "q")]


async def test_a_revision_stays_up_while_a_gateway_may_send_it_traffic(world):
    await ready_world(world)
    await world.policies.reconcile(RP)
    old = world.status()["latestReadyRevision"]
    bundle = {"uri": "configmap://b", "digest": DIGEST[:-1] + "b"}
    world.put(MODEL_DEPLOYMENTS, "m", {"bundle": bundle}, status=world.status())
    for _ in range(2):
        await world.deployments.reconcile(MD)
        world.become_ready()
    assert world.status()["latestReadyRevision"] != old
    assert replicas(world)[old] == 1
    await world.deployments.reconcile(MD)
    assert replicas(world)[old] == 1
    await world.policies.reconcile(RP)
    await world.deployments.reconcile(MD)
    assert replicas(world)[old] == 0


def replicas(world: World) -> dict[str, int]:
    return {live["metadata"]["name"]: live["spec"]["replicas"] for live in world.caches.deployments}
