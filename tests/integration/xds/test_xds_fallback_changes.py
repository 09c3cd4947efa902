"""Ladders that come, change and go, and arms that die below them, under load: no request fails."""

import asyncio
from dataclasses import replace

from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import Load, World, policy

from turnout_operator.plan.routes import ArmRoute, Endpoint, Fallback, PolicyRoute, Static

FAILURES = frozenset({"5xx", "timeout", "overload"})


def ladder(version: str, *arms: str, main: str = "a", limit: int = 64, static: Static | None = None) -> PolicyRoute:
    rungs = tuple(ArmRoute(arm, f"demo/{arm}", arm, 0) for arm in arms)
    fallback = Fallback(rungs, static, FAILURES, None, limit)
    return replace(policy("fd", {main: 10_000}, version=version), fallback=fallback)


def load_of(envoy: Envoy) -> Load:
    async def ask(number: int) -> int:
        status, _ = await envoy.predict("fd", f"customer-{number}")
        return status

    return Load(ask)


async def test_changes_of_ladders_fail_no_request_and_leave_no_cluster_behind(world: World) -> None:
    await world.start_pods("a", "b", "c")
    await world.serve(policy("fd", {"a": 10_000}), drain_seconds=0.2)
    envoy = await world.start_envoy()
    steps = [("b",), ("b", "c"), ("c", "b"), (), ("c",)]
    async with load_of(envoy) as load:
        for number in range(20):
            arms, main = steps[number % 5], "abc"[number % 3]
            static = Static("yes", 0.5, 0.0) if number % 2 or set(arms) <= {main} else None
            world.xds.set_route(ladder(f"v{number}", *arms, main=main, limit=16 + number % 4, static=static))
            await world.acked("fd")
            await asyncio.sleep(0.05)  # requests that are under way have the route before
            world.pods[main].status = 503
            await asyncio.sleep(0.1)
            world.pods[main].status = 200
            await asyncio.sleep(0.05)
        world.xds.set_route(policy("fd", {"a": 10_000}, version="last"))
        await world.acked("fd")
    assert set(load.answers) == {200}, load.answers
    await envoy.clusters_are({"demo/a"})


async def test_pods_that_die_and_rungs_that_move_fail_no_request(world: World) -> None:
    await world.start_pods("a", "b", "c")
    await world.serve(ladder("v1", "b"))
    envoy = await world.start_envoy()
    async with load_of(envoy) as load:
        await asyncio.sleep(0.2)
        await world.pods["a"].stop()
        await asyncio.sleep(0.3)
        assert world.pods["b"].asked > 0
        world.xds.set_endpoints("demo/a", [])
        world.xds.set_endpoints("demo/b", [world.pods["c"].endpoint])
        await envoy.endpoints_are("demo/fd/fallback/b/b", 1)
        await asyncio.sleep(0.1)
        taken = world.pods["b"].asked
        await asyncio.sleep(0.3)
    assert set(load.answers) == {200}, load.answers
    assert world.pods["b"].asked == taken
    assert world.pods["c"].asked > 0


async def test_an_arm_that_fails_in_every_way_fails_no_request(world: World) -> None:
    await world.start_pods("a", "b")
    pod, hosts = world.pods["a"], [world.pods["a"].endpoint]
    fallback = Fallback((ArmRoute("b", "demo/b", "b", 0),), None, FAILURES, 0.3, 64)
    await world.serve(replace(policy("fd", {"a": 10_000}, timeout=10.0), fallback=fallback))
    envoy = await world.start_envoy()
    async with load_of(envoy) as load:
        for _ in range(2):
            for fields, endpoints in (
                ({"status": 500}, hosts),
                ({"status": 429}, hosts),
                ({"aborts": True}, hosts),
                ({"delay": 5.0}, hosts),
                ({}, []),
                ({}, [Endpoint("127.0.0.1", 9)]),
                ({}, hosts),
            ):
                pod.status, pod.aborts, pod.delay = 200, False, 0.0
                for name, value in fields.items():
                    setattr(pod, name, value)
                world.xds.set_endpoints("demo/a", endpoints)
                await asyncio.sleep(0.25)
    assert set(load.answers) == {200}, load.answers
    assert min(pod.asked, world.pods["b"].asked) > 0


async def test_a_rung_without_pods_holds_nothing_back(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000}))
    envoy = await world.start_envoy()
    world.xds.set_endpoints("demo/b", [])
    world.xds.set_route(ladder("v2", "b", static=Static("yes", 0.5, 0.0)))
    await world.acked("fd")
    world.pods["a"].status = 503
    assert (await envoy.predict("fd", "one"))[1]["fallback"] == "static"
    world.xds.set_endpoints("demo/b", [Endpoint("127.0.0.1", world.pods["b"].endpoint.port)])
    await envoy.endpoints_are("demo/fd/fallback/b/b", 1)
    assert (await envoy.predict("fd", "one"))[1]["pod"] == "b"


async def test_a_new_control_plane_takes_ladders_over(world: World) -> None:
    await world.start_pods("a", "b", "c")
    await world.serve(ladder("v1", "b"), drain_seconds=0.2)
    envoy = await world.start_envoy()
    world.pods["a"].status = 503
    async with load_of(envoy) as load:
        await world.xds.stop(0)
        await asyncio.sleep(0.1)
        await world.serve(ladder("v1", "b"), drain_seconds=0.2)
        await world.acked("fd")
        world.xds.set_route(ladder("v2", "c"))
        await world.acked("fd")
        await asyncio.sleep(0.2)
    assert set(load.answers) == {200}, load.answers
    assert (await envoy.predict("fd", "one"))[1]["pod"] == "c"


async def test_an_arm_that_lost_a_pod_of_two_keeps_its_traffic(world: World) -> None:
    await world.start_pods("a", "b", "dead")
    await world.pods["dead"].stop()
    await world.serve(ladder("v1", "b"))
    envoy = await world.start_envoy()
    both = [world.pods["a"].endpoint, world.pods["dead"].endpoint]
    world.xds.set_endpoints("demo/a", both)
    await envoy.endpoints_are("demo/a", 2)
    await asyncio.sleep(1.1)  # Envoy gathers changes of health for 1 s after those of endpoints
    for number in range(40):
        assert (await envoy.predict("fd", str(number)))[0] == 200
    await envoy.shows("/clusters", "demo/a::.*::health_flags::/failed_outlier_check")
    before = world.pods["b"].asked
    for number in range(100):
        assert (await envoy.predict("fd", str(number)))[0] == 200
    assert world.pods["b"].asked == before
