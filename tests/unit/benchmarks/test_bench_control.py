import asyncio
import time

import pytest
from benchmarks.control.counted import describe
from benchmarks.control.load import in_parallel, open_loop
from benchmarks.control.phases import Creation, Restart, Updates, Work
from benchmarks.control.processes import Snapshot
from benchmarks.control.rows import Results, rows
from benchmarks.control.takeover import Takeover
from benchmarks.control.watch import Watch
from benchmarks.control.workload import NAMESPACE, model_deployment, routing_policy

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy, weights_of
from turnout_operator.kube.resources import DEPLOYMENTS

HOST = "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/apis/apps/v1/deployments?limit=500", ("LIST", "", "deployments")),
        ("GET", "/api/v1/pods?watch=true&resourceVersion=1", ("WATCH", "", "pods")),
        ("PATCH", "/api/v1/namespaces/a/services/b?force=true", ("PATCH", "a", "services")),
        ("PATCH", "/apis/g/v1/namespaces/a/things/b/status", ("PATCH", "a", "things/status")),
        ("GET", "/apis/g/v1/namespaces/a/leases/b", ("GET", "a", "leases")),
        ("GET", "/api/v1/namespaces/a", ("GET", "", "namespaces")),
        ("GET", "/version", ("GET", "", "")),
    ],
)
def test_requests_are_named_by_verb_namespace_and_resource(method, path, wanted):
    assert describe(method, HOST + path) == wanted


def _said(*requests, **more):
    return {
        "requests": requests,
        "first_write": {},
        "cpu": 1.0,
        "memory": {},
        "reconciles": {},
        "waiting": 0,
        **more,
    }


def test_only_the_benchmarks_own_namespace_counts():
    seen = Snapshot.parse(
        _said(["PATCH", NAMESPACE, "services", 3], ["PATCH", "other", "services", 9], ["LIST", NAMESPACE, "pods", 1])
    )
    assert seen.writes == {"PATCH services": 3}


def test_the_difference_of_two_snapshots_leaves_out_what_stayed():
    before = Snapshot.parse(_said(["PATCH", NAMESPACE, "services", 3], ["POST", NAMESPACE, "events", 1]))
    after = Snapshot.parse(_said(["PATCH", NAMESPACE, "services", 5], ["POST", NAMESPACE, "events", 1], cpu=1.5))
    assert Work.between(before, after) == Work(0.5, {"PATCH services": 2})


async def test_changes_start_on_time_though_earlier_ones_hang():
    started = []

    async def change(number):
        started.append(time.monotonic())
        await asyncio.sleep(0.3)
        return time.monotonic()

    latencies = await open_loop(50, 5, change)
    assert started[-1] - started[0] < 0.25
    assert all(latency >= 0.3 for latency in latencies)


async def test_latency_counts_from_when_a_change_was_due():
    async def change(number):
        time.sleep(0.05)  # noqa: ASYNC251 - holds up the changes after it
        return time.monotonic()

    latencies = await open_loop(1000, 4, change)
    assert latencies[3] > 0.15


async def test_in_parallel_calls_each_number_once():
    seen = []

    async def send(number):
        await asyncio.sleep(0)
        seen.append(number)

    await in_parallel(3, 10, send)
    assert sorted(seen) == list(range(10))


async def test_a_watch_tells_when_an_object_became_what_was_asked():
    watch = Watch(None, DEPLOYMENTS)
    seen = watch.when("a", lambda obj: obj["spec"]["replicas"] == 2)
    for now, replicas in ((1.0, 1), (2.0, 2), (3.0, 2)):
        watch._take({"metadata": {"name": "a"}, "spec": {"replicas": replicas}}, now)
    assert await seen == 2.0


def test_the_objects_are_valid():
    for number in (0, 9):
        md, policy = model_deployment(number), routing_policy(number, 10)
        md["metadata"]["uid"] = policy["metadata"]["uid"] = "u"
        assert ModelDeployment.model_validate(md).spec.replicas == 1
        spec = RoutingPolicy.model_validate(policy).spec
        assert weights_of(spec) == {"main": 9000, "challenger": 1000}
        assert {arm.model_deployment for arm in spec.arms} == {f"md-{number:04d}", f"md-{(number + 1) % 10:04d}"}


def test_without_measurements_every_target_is_missed():
    judged = [row.ok for row in rows(Results()) if row.ok is not None]
    assert judged
    assert not any(judged)


def test_a_good_run_passes_every_target():
    results = Results()
    for side in (results.turnout, results.yardstick):
        work = Work(1.0, {"PATCH deployments": 100})
        side.creation = Creation(10.0, 20.0, work)
        side.updates = Updates([0.05] * 100, [work])
        side.restarts = [Restart(1.0, {})]
        side.peak_memory = 100 * 1024
    results.weights = [0.05] * 50
    results.programmed = 1.0
    results.gateway_restart = Restart(1.0, {})
    results.killed = results.terminated = Takeover(0.5, 0.9, 1.0)
    assert all(row.ok for row in rows(results) if row.ok is not None)
    results.turnout.restarts.append(Restart(1.0, {"PATCH services": 1}))
    assert [row.metric for row in rows(results) if row.ok is False] == ["writes at a restart without changes"]
