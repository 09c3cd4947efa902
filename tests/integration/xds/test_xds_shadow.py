"""Shadows in a real Envoy: who gets copies of what."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.shadows import arm, shadow, shadowed
from tests.integration.xds.world import Pod, World, until

from turnout_operator.plan.routes import Condition, PolicyRoute, RuleRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")


def ruled(name: str) -> PolicyRoute:
    eu = RuleRoute("eu", (Condition("header", "x-region", "values", ("eu",)),), None, (arm("other", 10_000),))
    return replace(shadowed(name, shadow("other")), rules=(eu,))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods("main", "other", "third", "slow")
    shared.pods["slow"].delay = 30.0
    await shared.serve(
        shadowed("copied", shadow("other")),
        shadowed("plain"),
        shadowed("sizes", shadow("other", size=1024), shadow("third", size=4096)),
        shadowed("tenth", shadow("other", percent=1_000)),
        shadowed("itself", shadow("other"), shadow("third"), main=5_000, other=5_000),
        replace(shadowed("tight", shadow("slow", concurrent=3)), timeout_seconds=1.5),
        ruled("ruled"),
        replace(shadowed("unready", shadow("other")), arms=()),
    )
    return await shared.start_envoy()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def fresh(shared: World, envoy: Envoy) -> AsyncIterator[None]:
    yield
    for pod in shared.pods.values():
        pod.asked = pod.most = 0
        pod.heard.clear()


async def copies(pod: Pod, number: int) -> list[dict[str, str]]:
    """The headers of so many copies, and of no more."""
    await until(lambda: len(pod.heard) >= number, f"{number} copies at {pod.name}")
    await asyncio.sleep(0.05)
    assert len(pod.heard) == number
    return list(pod.heard)


async def counter(envoy: Envoy, cluster: str, name: str) -> int:
    lines = (await envoy.admin(f"/stats?filter=cluster.{cluster}.{name}$")).splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines)


async def test_a_copy_is_marked_and_has_the_request_id_of_its_original(shared: World, envoy: Envoy) -> None:
    status, said = await envoy.predict("copied", "e-1", json={"a": 1})
    (copy,) = await copies(shared.pods["other"], 1)
    original = said["headers"]
    assert (status, said["pod"], "x-turnout-shadow" in original) == (200, "main", False)
    shown = {name: copy[f"x-turnout-{name}"] for name in ("shadow", "arm", "propensity", "objective", "policy-version")}
    assert shown == {
        "shadow": "true", "arm": "other", "propensity": "1", "objective": "demo/copied", "policy-version": "v1"
    }  # fmt: skip
    same = ("x-request-id", "x-turnout-entity", "content-type", "content-length", "host")
    assert {name: copy[name] for name in same} == {name: original[name] for name in same}


async def test_only_predictions_are_copied(shared: World, envoy: Envoy) -> None:
    for path in ("feedback", "openapi.json"):
        async with shared.session.post(f"{envoy.url}/v1/demo/copied/{path}", json={}) as response:
            assert response.status == 200
    assert (await envoy.predict("unready", json={}))[0] == 503
    assert await copies(shared.pods["other"], 0) == []


async def test_a_policy_without_shadows_has_no_route_more(shared: World, envoy: Envoy) -> None:
    assert (await envoy.predict("plain", json={}))[1]["pod"] == "main"
    assert await copies(shared.pods["other"], 0) == []


async def test_each_shadow_has_its_largest_body(shared: World, envoy: Envoy) -> None:
    for size, expected in ((1024, (1, 1)), (1025, (0, 1)), (4096, (0, 1)), (4097, (0, 0))):
        assert (await envoy.predict("sizes", "e", data=b"x" * size))[0] == 200
        for name, number in zip(("other", "third"), expected, strict=True):
            await copies(shared.pods[name], number)
            shared.pods[name].heard.clear()


async def test_a_body_of_unknown_size_is_not_copied(shared: World, envoy: Envoy) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"{}"

    assert (await envoy.predict("copied", "e", data=parts()))[0] == 200
    assert await copies(shared.pods["other"], 0) == []


async def test_a_share_of_the_requests_is_copied(shared: World, envoy: Envoy) -> None:
    asked = [envoy.predict("tenth", f"e-{number}", json={}) for number in range(600)]
    assert Counter(status for status, _ in await asyncio.gather(*asked)) == {200: 600}
    await asyncio.sleep(0.2)
    heard = shared.pods["other"].heard
    assert 30 <= len(heard) <= 95  # 60, and 4 standard deviations
    assert {each["x-turnout-propensity"] for each in heard} == {"0.1"}


async def test_an_arm_gets_no_copy_of_what_it_gets_anyway(shared: World, envoy: Envoy) -> None:
    asked = [await envoy.predict("itself", f"e-{number}", json={}) for number in range(60)]
    to_main = sum(said["pod"] == "main" for _, said in asked)
    assert 0 < to_main < 60
    third = await copies(shared.pods["third"], 60)
    other = await copies(shared.pods["other"], 60)
    assert sum("x-turnout-shadow" in each for each in other) == to_main
    assert {each["x-turnout-arm"] for each in third} == {"third"}
    copied = [each for each in (*third, *other) if "x-turnout-shadow" in each]
    assert not any(name.startswith("x-turnout-copy") for each in copied for name in each)


async def test_a_rule_to_the_shadows_arm_is_not_copied(shared: World, envoy: Envoy) -> None:
    for region, number in (("us", 1), ("eu", 2)):
        await envoy.predict("ruled", "e", json={}, headers={"x-region": region})
        await copies(shared.pods["other"], number)
    assert [each.get("x-turnout-shadow") for each in shared.pods["other"].heard] == ["true", None]


async def test_callers_cannot_choose_where_copies_go(shared: World, envoy: Envoy) -> None:
    spoofed = {"x-turnout-copy-0": "demo/third", "x-turnout-shadow": "true"}
    entity = [f"e-{number}" for number in range(20)]
    said = [(await envoy.predict("itself", each, json={}, headers=spoofed))[1] for each in entity]
    assert not any("x-turnout-shadow" in each["headers"] for each in said)
    assert len(await copies(shared.pods["third"], 20)) == 20


async def test_copies_beyond_the_limit_are_skipped_and_counted(shared: World, envoy: Envoy) -> None:
    asked = [envoy.predict("tight", f"e-{number}", json={}) for number in range(100)]
    assert Counter(status for status, _ in await asyncio.gather(*asked)) == {200: 100}
    cluster = "demo/tight/shadow/slow/slow"
    assert shared.pods["slow"].most == 3
    assert await counter(envoy, cluster, "upstream_rq_pending_overflow") == 100 - 3 - 3  # 3 wait for a connection
    await envoy.shows(f"/stats?filter=cluster.{cluster}.upstream_rq_active$", ": 0\n")
