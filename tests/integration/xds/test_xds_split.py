"""The split as Envoy makes it is the one that Python predicts, and grows without moving anyone back."""

import asyncio
import io
import itertools
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
import xxhash
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import BODY, World, policy

from turnout_operator.plan.cohorts import allot, lay_out
from turnout_operator.plan.routes import Layout, PolicyRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")
HALF = {"a": 5_000, "b": 5_000}
POLICIES = {
    "two": policy("two", {"a": 9_000, "b": 1_000}),
    "three": policy("three", {"a": 5_001, "b": 2_499, "c": 2_500}),
    "grow": policy("grow", {"a": 10_000, "b": 0}),
    "half": policy("half", HALF),
    "other": policy("other", HALF),
    "body": policy("body", HALF, sticky=BODY),
}
IDS = [f"customer-{number}" for number in range(2_000)]


def predicted(route: PolicyRoute, entity: str) -> str:
    """The documented split: the spans of cohorts; without them candidates in order and the stable arm last."""
    cohort = xxhash.xxh64_intdigest(f"demo/{route.objective}:{entity}".encode()) % 10_000
    layout = route.layout or lay_out({arm.name: arm.weight for arm in route.arms})
    ends = itertools.accumulate(span.width for span in layout)
    return next(span.arm for span, end in zip(layout, ends, strict=True) if cohort < end)


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods("a", "b", "c", "d")
    await shared.serve(*POLICIES.values())
    return await shared.start_envoy()


@pytest.mark.parametrize("objective", ["two", "three"])
async def test_every_id_goes_where_xxhash_says(envoy: Envoy, objective: str) -> None:
    found = await arms_of(envoy, objective, IDS)
    assert found == {entity: predicted(POLICIES[objective], entity) for entity in IDS}


async def test_growth_moves_nobody_off_the_canary(shared: World, envoy: Envoy) -> None:
    before: set[str] = set()
    for percent in (5, 10, 50):
        weights = {"a": 10_000 - percent * 100, "b": percent * 100}
        shared.xds.set_route(policy("grow", weights, version=f"v{percent}"))
        await shared.acked("grow")
        found = await arms_of(envoy, "grow", IDS[:1_000])
        canary = {entity for entity, pod in found.items() if pod == "b"}
        assert before < canary
        before = canary


async def test_a_changed_split_of_four_arms_moves_only_whom_it_must(shared: World, envoy: Envoy) -> None:
    splits = [(6_000, 1_000, 1_000, 2_000), (4_000, 3_000, 1_000, 2_000), (4_500, 3_000, 0, 2_500)]
    layout: Layout = ()
    found: dict[str, str] = {}
    for step, widths in enumerate(splits):
        weights = dict(zip("abcd", widths, strict=True))
        layout = allot(weights, layout)
        route = replace(policy("moving", weights, version=f"v{step}"), layout=layout)
        shared.xds.set_route(route)
        await shared.acked("moving")
        before, found = found, await arms_of(envoy, "moving", IDS[:1_000])
        assert found == {entity: predicted(route, entity) for entity in IDS[:1_000]}
        moves = {(before[entity], arm) for entity, arm in found.items() if before.get(entity, arm) != arm}
        assert moves == (set(), {("a", "b")}, {("c", "a"), ("c", "d")})[step]


async def test_objectives_have_their_own_cohorts(envoy: Envoy) -> None:
    one, other = await arms_of(envoy, "half", IDS[:200]), await arms_of(envoy, "other", IDS[:200])
    assert 60 < sum(one[entity] == other[entity] for entity in one) < 140


async def test_sticky_by_body(envoy: Envoy) -> None:
    for entity in [*IDS[:100], "one, two", 12345, 2**62 + 1]:
        status, answer = await envoy.predict("body", json={"context": {}, "customer": {"id": entity}})
        assert status == 200
        assert answer["pod"] == predicted(POLICIES["body"], str(entity))
        assert answer["headers"]["x-turnout-entity"] == str(entity)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_sticky_by_body_whatever_the_content_type(envoy: Envoy, content_type: str) -> None:
    text = b'{"customer": {"id": "one"}, "filler": "' + b"x" * 1_500_000 + b'"}'
    headers = {"content-type": content_type}
    for _ in range(3):
        status, answer = await envoy.predict("body", data=io.BytesIO(text), headers=headers)
        assert (status, answer["headers"].get("x-turnout-entity")) == (200, "one")


NO_ID: list[dict[str, Any]] = [
    {"json": {"customer": 1}},
    {"json": {"customer": {"id": ""}}},
    {"json": {"customer": {"id": None}}},
    {"data": "{no json"},
    {"data": b""},
]


@pytest.mark.parametrize("request_", NO_ID)
async def test_a_body_without_an_id_goes_to_any_arm(envoy: Envoy, request_: dict[str, Any]) -> None:
    answers = [await envoy.predict("body", **request_) for _ in range(40)]
    assert {status for status, _ in answers} == {200}
    assert {answer["pod"] for _, answer in answers} == {"a", "b"}
    assert not any("x-turnout-entity" in answer["headers"] for _, answer in answers)
