"""Shadows that are dead, slow, crashing or away, under load: callers don't notice."""

import asyncio
import io
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import pytest_asyncio
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.shadows import shadow, shadowed
from tests.integration.xds.world import Load, World, policy

from turnout_operator.plan.routes import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="module")
LARGEST = 1024 * 1024
STATES = ("deaf", "blackhole", "refusing", "slow", "crashing", "void")


@pytest.fixture(scope="module")
def deaf() -> Iterator[Endpoint]:
    """Takes connections and never reads."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        yield Endpoint("127.0.0.1", listening.getsockname()[1])


@pytest.fixture(scope="module")
def blackhole() -> Iterator[Endpoint]:
    """Lets nobody connect: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        address = listening.getsockname()
        full = [socket.socket() for _ in range(4)]
        for each in full:
            each.setblocking(False)
            each.connect_ex(address)
        yield Endpoint("127.0.0.1", address[1])
        for each in full:
            each.close()


@pytest.fixture(scope="module")
def refusing() -> Endpoint:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return Endpoint("127.0.0.1", listening.getsockname()[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World, deaf: Endpoint, blackhole: Endpoint, refusing: Endpoint) -> Envoy:
    await shared.start_pods("main", "slow", "crashing")
    shared.pods["slow"].delay = 30.0
    shared.pods["crashing"].aborts = True
    await shared.serve(shadowed("plain"), *(shadowed(name, shadow(name, size=LARGEST)) for name in STATES))
    for name, endpoint in {"deaf": deaf, "blackhole": blackhole, "refusing": refusing}.items():
        shared.xds.set_endpoints(f"demo/{name}", [endpoint])
    return await shared.start_envoy()


async def waits(envoy: Envoy, objective: str, body: bytes) -> tuple[list[float], list[float]]:
    """How long 16 clients waited for their answers, from this objective and in turn from a plain one; all were good."""
    found: tuple[list[float], list[float]] = [], []

    async def ask(number: int) -> int:
        start = time.perf_counter()
        which = (number + number // 16) % 2
        status, said = await envoy.predict((objective, "plain")[which], f"e-{number}", data=io.BytesIO(body))
        found[which].append(time.perf_counter() - start)
        return status if said["pod"] == "main" else 0

    async with Load(ask, 16) as load:
        await asyncio.sleep(2.0)
    assert load.answers.keys() == {200}
    return sorted(found[0]), sorted(found[1])


async def sent(envoy: Envoy, objective: str) -> int:
    """Copies that were sent, or would have been but for the limit or a connection."""
    names = "upstream_rq_total|upstream_rq_pending_overflow|upstream_cx_connect_fail"
    lines = await envoy.admin(f"/stats?filter=cluster.demo/{objective}/shadow/.*({names})$")
    return sum(int(line.rpartition(" ")[2]) for line in lines.splitlines())


@pytest.mark.parametrize("size", [5_000_000, 8, LARGEST])  # first what is never copied: copies linger
@pytest.mark.parametrize("state", STATES)
async def test_a_sick_shadow_is_not_noticed(envoy: Envoy, state: str, size: int) -> None:
    """One that held requests up would do so until they time out after 2 s, or can't connect after 0.5 s."""
    before = await sent(envoy, state)
    found, usual = await waits(envoy, state, b"x" * size)
    if size > LARGEST:
        assert await sent(envoy, state) == before
        return
    assert found[len(found) // 2] < 0.2 + 1.5 * usual[len(usual) // 2]
    assert found[len(found) * 95 // 100] < 0.3 + 1.5 * usual[len(usual) * 95 // 100]
    if state != "void":
        assert await sent(envoy, state) > before


async def test_shadows_that_come_change_and_go_fail_no_request(shared: World, envoy: Envoy) -> None:
    await shared.start_pods("new")
    shared.xds.set_endpoints("demo/new", [shared.pods["new"].endpoint])
    steps = [("new",), ("new", "slow"), (), ("crashing", "new"), ("slow",)]
    shared.xds.set_route(policy("moving", {"main": 10_000}))
    await shared.acked("moving")

    async def ask(number: int) -> int:
        return (await envoy.predict("moving", f"e-{number}", json={}))[0]

    async with Load(ask, 8) as load:
        for number in range(25):
            shadows = [shadow(name, concurrent=16 + number % 4) for name in steps[number % 5]]
            shared.xds.set_route(replace(shadowed("moving", *shadows), version=f"v{number}"))
            await shared.acked("moving")
            if number == 15:
                await shared.pods["new"].stop()
            shared.xds.set_endpoints("demo/new", [shared.pods["new"].endpoint] if number % 3 else [])
            await asyncio.sleep(0.05)
    assert load.answers.keys() == {200}
    assert shared.pods["new"].asked > 0
