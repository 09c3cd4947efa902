"""Changes under load: no request fails, and nothing waits for what is broken or slow."""

import asyncio
import signal
import time

import pytest
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import HEADER, Load, World, key, policy, until

from turnout_operator.plan.routes import Sticky
from turnout_operator.xds.render.listener import _scoped_routes

CHANGES = 50
BAD = Sticky("header", "not a\nheader name")


def load_of(envoy: Envoy, objective: str = "fd") -> Load:
    async def ask(number: int) -> int:
        status, _ = await envoy.predict(objective, f"customer-{number}")
        return status

    return Load(ask)


async def test_weight_changes_fail_no_request_and_are_acked_at_once(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000, "b": 0}))
    envoy = await world.start_envoy()
    seconds = []
    async with load_of(envoy) as load:
        for number in range(CHANGES):
            weight = (number * 1_700) % 10_001
            world.xds.set_route(policy("fd", {"a": 10_000 - weight, "b": weight}, version=f"v{number}"))
            seconds.append(await world.acked("fd"))
            await asyncio.sleep(0.02)
    assert set(load.answers) == {200}
    assert sorted(seconds)[int(CHANGES * 0.99) - 1] < 1.0


async def test_swaps_of_revisions_fail_no_request_and_leave_no_cluster_behind(world: World) -> None:
    await world.start_pods("a", "b", "c")
    await world.serve(policy("fd", {"a": 10_000}), drain_seconds=0.2)
    envoy = await world.start_envoy()
    async with load_of(envoy) as load:
        for number in range(12):
            world.xds.set_route(policy("fd", {"bca"[number % 3]: 10_000}, version=f"v{number}"))
            await world.acked("fd")
            await asyncio.sleep(0.1)
    assert set(load.answers) == {200}
    await envoy.clusters_are({"demo/a"})


async def test_a_route_waits_for_the_first_endpoint_of_a_new_revision(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000}))
    envoy = await world.start_envoy()
    world.xds.set_endpoints("demo/b", [])
    world.xds.set_route(policy("fd", {"b": 10_000}, version="v2"))
    async with load_of(envoy) as load:
        await until(lambda: world.seen("fd").waiting == ("demo/b",), "waiting for b")
        await asyncio.sleep(0.1)
        world.xds.set_endpoints("demo/b", [world.pods["b"].endpoint])
        await world.acked("fd")
    assert set(load.answers) == {200}


async def test_endpoints_come_and_go_without_a_failed_request(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000}))
    envoy = await world.start_envoy()
    both = [world.pods["a"].endpoint, world.pods["b"].endpoint]
    async with load_of(envoy) as load:
        for number in range(20):
            world.xds.set_endpoints("demo/a", [both, both[:1], both[1:]][number % 3])
            await asyncio.sleep(0.02)
    assert set(load.answers) == {200}
    assert world.seen("fd").acked == 1


async def test_a_refused_route_is_told_and_holds_up_nobody(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000}), policy("other", {"a": 10_000}))
    envoy = await world.start_envoy()
    await world.acked("fd")
    world.xds.set_route(policy("fd", {"b": 10_000}, version="bad", sticky=BAD))
    world.xds.set_route(policy("new", {"b": 10_000}))
    world.xds.set_route(policy("other", {"b": 10_000}, version="v2"))
    for name in ("new", "other"):
        await world.acked(name)
    await until(lambda: bool(world.seen("fd").nacks), "a NACK")
    assert "envoy-1" in world.seen("fd").nacks
    assert world.seen("fd").acked == 0
    assert not world.seen("other").nacks
    assert (await envoy.predict("fd"))[1]["pod"] == "a"
    world.xds.set_route(policy("fd", {"b": 10_000}, version="good"))
    await world.acked("fd")
    assert not world.seen("fd").nacks
    assert (await envoy.predict("fd"))[1]["pod"] == "b"


async def test_a_route_that_cannot_be_rendered_is_told_like_a_refused_one(world: World) -> None:
    await world.start_pods("a")
    await world.serve(policy("fd", {"a": 10_000}), policy("other", {"a": 10_000}))
    envoy = await world.start_envoy()
    world.xds.set_route(policy("fd", {"a": 10_000}, version="v2", timeout=float("nan")))
    world.xds.set_route(policy("other", {"a": 10_000}, version="v2"))
    await world.acked("other")
    await until(lambda: "route demo/fd" in world.seen("fd").nacks.get("envoy-1", ""), "the error")
    assert (await envoy.predict("fd"))[0] == 200


async def test_a_starting_envoy_serves_all_others_at_once_beside_a_known_bad_route(world: World) -> None:
    await world.start_pods("a")
    good = [policy(f"good-{number}", {"a": 10_000}) for number in range(200)]
    await world.serve(policy("bad", {"a": 10_000}, sticky=BAD), *good)
    await world.start_envoy()
    await until(lambda: set(world.seen("bad").nacks) == {"envoy-1"}, "the NACK")
    envoy = await world.start_envoy("envoy-2")
    assert {(await envoy.predict(each.objective))[0] for each in reversed(good)} == {200}
    assert (await envoy.predict("bad"))[0] == 404
    assert set(world.seen("bad").nacks) == {"envoy-1", "envoy-2"}


async def test_observed_is_what_all_envoys_acked_and_a_frozen_one_holds_up_no_other(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000, "b": 0}))
    first, second = await world.start_envoy("envoy-1"), await world.start_envoy("envoy-2")
    await world.acked("fd", envoys=2)
    second.signal(signal.SIGSTOP)
    for number in range(20):
        world.xds.set_route(policy("fd", {"a": 5_000, "b": 5_000}, version=f"v{number}"))
        await until(lambda: world.seen("fd").acked == 1, "the first one's ACK")
    assert (world.seen("fd").connected, world.seen("fd").version) == (2, "v19")
    assert (await first.predict("fd"))[0] == 200
    world.changes.clear()
    second.signal(signal.SIGCONT)
    await world.acked("fd", envoys=2)
    assert key("fd") in world.changes
    second.end()
    await world.acked("fd", envoys=1)


async def test_a_frozen_envoy_is_taken_for_gone_and_an_idle_one_is_left_alone(world: World) -> None:
    await world.start_pods("a")
    await world.serve(policy("fd", {"a": 10_000}), keepalive_seconds=1.0)
    await world.start_envoy("idle")
    frozen = await world.start_envoy("frozen")
    await world.acked("fd", envoys=2)
    frozen.signal(signal.SIGSTOP)
    await world.acked("fd", envoys=1)
    world.changes.clear()
    await asyncio.sleep(3.5)
    assert world.changes == []
    frozen.signal(signal.SIGCONT)
    await world.acked("fd", envoys=2)


async def test_a_killed_control_plane_fails_no_request_and_sends_nothing_again(world: World) -> None:
    await world.start_pods("a", "b")
    routes = [policy("fd", {"a": 9_000, "b": 1_000}), policy("other", {"b": 10_000})]
    plane = await world.spawn_plane(*routes)
    envoy = await world.start_envoy()
    async with load_of(envoy) as load:
        plane.kill()
        await plane.wait()
        await asyncio.sleep(0.2)
        await world.serve(*routes)
        await world.acked("fd")
        await world.acked("other")
        assert world.xds.traffic.resources == 0
        world.xds.set_route(policy("fd", {"a": 5_000, "b": 5_000}, version="v2"))
        await world.acked("fd")
        assert world.xds.traffic.resources == 1
    assert set(load.answers) == {200}


async def test_a_control_plane_that_comes_back_changed_swaps_without_a_failed_request(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("fd", {"a": 10_000}), policy("gone", {"a": 10_000}))
    envoy = await world.start_envoy()
    async with load_of(envoy) as load:
        await world.xds.stop(0)
        await world.serve(policy("fd", {"b": 10_000}, version="v2"))
        await world.acked("fd")
        await envoy.clusters_are({"demo/b"})
    assert set(load.answers) == {200}
    assert (await envoy.predict("fd"))[1]["pod"] == "b"
    assert (await envoy.predict("gone"))[0] == 404


async def test_a_standby_refuses_and_ends_streams(world: World) -> None:
    await world.start_pods("a")
    await world.serve(policy("fd", {"a": 10_000}, sticky=HEADER))
    envoy = await world.start_envoy()
    await world.acked("fd")
    world.xds.set_serving(False)
    await until(lambda: world.seen("fd").connected == 0, "no Envoy")
    start = time.perf_counter()
    while time.perf_counter() - start < 0.5:
        assert world.seen("fd").connected == 0
        assert (await envoy.predict("fd"))[0] == 200
    world.xds.set_serving(True)
    await world.acked("fd")


RENDER = "turnout_operator.xds.render"
OLDER = {
    "the listener": (f"{RENDER}.listener.MAX_BODY_BYTES", 2 * 1024 * 1024),
    "the scopes": (f"{RENDER}.listener._scoped_routes", lambda: {**_scoped_routes(), "name": "older"}),
    "all clusters": (f"{RENDER}.cluster._UPSTREAM_IDLE", "31s"),
}


@pytest.mark.parametrize("what", OLDER)
async def test_an_upgrade_that_changes(what: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.start_pods("a")
    routes = [policy("fd", {"a": 10_000}), policy("other", {"a": 10_000})]
    with monkeypatch.context() as older:
        older.setattr(*OLDER[what])
        await world.serve(*routes)
    envoy = await world.start_envoy()
    await world.acked("fd")
    async with load_of(envoy) as load, load_of(envoy, "other") as other:
        await world.xds.stop(0)
        await world.serve(*routes)
        await until(lambda: world.xds.traffic.resources > 0, "the changed resource")
        await world.acked("fd")
        await envoy.shows("/config_dump", "warming", present=False)
    assert set(load.answers) == set(other.answers) == {200}
