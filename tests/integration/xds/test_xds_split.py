"""The split as Envoy makes it is the one that Python predicts, and grows without moving anyone back."""

import asyncio
import io
import itertools
from typing import Any

import pytest
import xxhash
from tests.integration.xds.world import BODY, Envoy, World, policy

from turnout_operator.plan.routes import PolicyRoute

IDS = [f"customer-{number}" for number in range(2_000)]


def predicted(route: PolicyRoute, entity: str) -> str:
    """The documented split: candidates in order, the stable arm last."""
    cohort = xxhash.xxh64_intdigest(f"demo/{route.objective}:{entity}".encode()) % 10_000
    arms = [*route.arms[1:], route.arms[0]]
    ends = itertools.accumulate(arm.weight for arm in arms)
    return next(arm.name for arm, end in zip(arms, ends, strict=True) if cohort < end)


async def arms_of(envoy: Envoy, objective: str, ids: list[str]) -> dict[str, str]:
    """Ask for each id, eight at a time; returns the pod that answered."""
    found: dict[str, str] = {}

    async def ask(share: list[str]) -> None:
        for entity in share:
            status, answer = await envoy.predict(objective, entity)
            assert status == 200
            found[entity] = answer["pod"]

    await asyncio.gather(*(ask(ids[start::8]) for start in range(8)))
    return found


@pytest.mark.parametrize("weights", [{"a": 9_000, "b": 1_000}, {"a": 5_001, "b": 2_499, "c": 2_500}])
async def test_every_id_goes_where_xxhash_says(world: World, weights: dict[str, int]) -> None:
    await world.start_pods(*weights)
    route = policy("split", weights)
    await world.serve(route)
    envoy = await world.start_envoy()
    found = await arms_of(envoy, "split", IDS)
    assert found == {entity: predicted(route, entity) for entity in IDS}
    assert set(found.values()) == set(weights)


async def test_growth_moves_nobody_off_the_canary(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("grow", {"a": 9_500, "b": 500}))
    envoy = await world.start_envoy()
    before: set[str] = set()
    for percent in (5, 10, 50):
        world.xds.set_route(policy("grow", {"a": 10_000 - percent * 100, "b": percent * 100}, version=f"v{percent}"))
        await world.acked("grow")
        found = await arms_of(envoy, "grow", IDS[:1_000])
        canary = {entity for entity, pod in found.items() if pod == "b"}
        assert before < canary
        before = canary


async def test_two_objectives_have_their_own_cohorts(world: World) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("one", {"a": 5_000, "b": 5_000}), policy("two", {"a": 5_000, "b": 5_000}))
    envoy = await world.start_envoy()
    one, two = await arms_of(envoy, "one", IDS[:200]), await arms_of(envoy, "two", IDS[:200])
    same = sum(one[entity] == two[entity] for entity in one)
    assert 60 < same < 140


async def test_sticky_by_body(world: World) -> None:
    await world.start_pods("a", "b")
    route = policy("body", {"a": 7_000, "b": 3_000}, sticky=BODY)
    await world.serve(route)
    envoy = await world.start_envoy()
    for entity in [*IDS[:100], 12345, 678]:
        status, answer = await envoy.predict("body", json={"context": {}, "customer": {"id": entity}})
        assert status == 200
        assert answer["pod"] == predicted(route, str(entity))
        assert answer["headers"]["x-turnout-entity"] == str(entity)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_sticky_by_body_whatever_the_content_type(world: World, content_type: str) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("body", {"a": 5_000, "b": 5_000}, sticky=BODY))
    envoy = await world.start_envoy()
    text = b'{"customer": {"id": "one"}, "filler": "' + b"x" * 1_500_000 + b'"}'
    headers = {"content-type": content_type}
    for _ in range(3):
        status, answer = await envoy.predict("body", data=io.BytesIO(text), headers=headers)
        assert (status, answer["headers"].get("x-turnout-entity")) == (200, "one")


NO_ID: list[dict[str, Any]] = [{"json": {"customer": 1}}, {"json": {}}, {"data": "{no json"}, {"data": b""}]


@pytest.mark.parametrize("request_", NO_ID)
async def test_a_body_without_an_id_goes_to_any_arm(world: World, request_: dict[str, Any]) -> None:
    await world.start_pods("a", "b")
    await world.serve(policy("body", {"a": 5_000, "b": 5_000}, sticky=BODY))
    envoy = await world.start_envoy()
    answers = [await envoy.predict("body", **request_) for _ in range(40)]
    assert {status for status, _ in answers} == {200}
    assert {answer["pod"] for _, answer in answers} == {"a", "b"}
    assert not any("x-turnout-entity" in answer["headers"] for _, answer in answers)
