import asyncio

import pytest
from tests.unit.kube.fakes import obj

from turnout_operator.controller.caches import Caches, WorkKey
from turnout_operator.controller.endpoints import ready_endpoints
from turnout_operator.controller.marks import ECHO_SECONDS, Marker
from turnout_operator.controller.queue import WorkQueue
from turnout_operator.kube.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, ROUTING_POLICIES
from turnout_operator.plan.routes import Endpoint

MD = WorkKey(MODEL_DEPLOYMENTS.kind, "ns", "m")
RP = WorkKey(ROUTING_POLICIES.kind, "ns", "p")


@pytest.fixture
def wired():
    caches, queue = Caches(), WorkQueue()
    marker = Marker(caches, queue)
    marker.lead()
    return caches, queue


async def drain(queue) -> list[WorkKey]:
    """The keys in order, those included that wait for a burst of echoes to end."""
    found = []
    while True:
        try:
            key = await asyncio.wait_for(queue.get(), 2 * ECHO_SECONDS)
        except TimeoutError:
            return found
        queue.done(key)
        found.append(key)


def policy(version: int, generation: int, *targets: str):
    made = obj("p", version, spec={"arms": [{"name": t, "modelDeployment": t} for t in targets]})
    made["metadata"]["generation"] = generation
    return made


async def test_a_policy_wakes_its_model_deployments_and_they_wake_it(wired):
    caches, queue = wired
    caches.routing_policies.put(policy(1, 1, "m"))
    assert set(await drain(queue)) == {RP, MD}
    caches.model_deployments.put(obj("m", 2, spec={}))
    assert set(await drain(queue)) == {RP, MD}


async def test_a_burst_of_echoes_is_looked_at_once(wired):
    caches, queue = wired
    for version in range(1, 6):
        child = obj("m-1", version)
        child["metadata"]["labels"] = {"serving.turnout.dev/model-deployment": "m"}
        caches.store(DEPLOYMENTS).put(child)
    assert await drain(queue) == [MD]


async def test_a_child_wakes_its_owner_also_when_it_goes(wired):
    caches, queue = wired
    child = obj("m-1", 3)
    child["metadata"]["labels"] = {
        "serving.turnout.dev/model-deployment": "m", "serving.turnout.dev/revision": "m-1"
    }  # fmt: skip
    caches.store(DEPLOYMENTS).put(child)
    assert await drain(queue) == [MD]
    caches.store(DEPLOYMENTS).delete(child)
    assert await drain(queue) == [MD]


async def test_what_an_object_depended_on_before_a_change_is_woken_too(wired):
    caches, queue = wired
    rival = obj("rival", 1, spec={"objective": "a", "arms": []})
    caches.routing_policies.put(rival)
    changing = policy(2, 1, "old")
    changing["spec"]["objective"] = "a"
    caches.routing_policies.put(changing)
    await drain(queue)
    caches.routing_policies.put(policy(3, 2, "new"))
    woken = await drain(queue)
    assert RP._replace(name="rival") in woken
    assert {MD._replace(name="old"), MD._replace(name="new")} <= set(woken)


async def test_a_standby_marks_nothing_and_everything_when_it_leads():
    caches, queue = Caches(), WorkQueue()
    marker = Marker(caches, queue)
    caches.routing_policies.put(policy(1, 1, "m"))
    assert await drain(queue) == []
    marker.lead()
    assert await drain(queue) == [RP]


async def test_a_users_change_overtakes_echoes(wired):
    caches, queue = wired
    caches.routing_policies.put(policy(1, 1))
    await drain(queue)
    queue.add(WorkKey("Other", "ns", "first in line"))
    caches.routing_policies.put(policy(2, 1))
    assert (await drain(queue))[0].name == "first in line"
    queue.add(WorkKey("Other", "ns", "first in line"))
    caches.routing_policies.put(policy(3, 2))
    assert (await drain(queue))[0] == RP


def test_only_ready_addresses_of_the_prediction_port_are_endpoints():
    ports = [{"name": "http", "port": 8080}, {"name": "admin", "port": 8081}]
    slices = [
        {"ports": ports, "endpoints": [
            {"addresses": ["10.0.0.2"], "conditions": {"ready": True}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "terminating": True}},
            {"addresses": ["10.0.0.1"]},
        ]},
        {"ports": ports, "endpoints": [{"addresses": ["10.0.0.2"], "conditions": {"ready": True}}]},
        {"ports": None, "endpoints": None},
    ]  # fmt: skip
    assert ready_endpoints(slices) == [Endpoint("10.0.0.1", 8080), Endpoint("10.0.0.2", 8080)]
