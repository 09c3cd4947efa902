"""Rules as Envoy takes them are those that `plan.explain` tells: the same arm for every request."""

import asyncio
import random
from dataclasses import replace

import pytest
import pytest_asyncio
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.randomness import ARMS, arms, compare, random_policies, request
from tests.integration.xds.world import World, policy

from turnout_operator.plan.explain import answer
from turnout_operator.plan.routes import Condition, RuleRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")
POLICIES = random_policies(range(16))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods(*ARMS)
    await shared.serve(*POLICIES.values())
    return await shared.start_envoy()


async def test_every_request_goes_where_explain_says(envoy: Envoy) -> None:
    await asyncio.gather(*(compare(envoy, POLICIES, random.Random(share), 125) for share in range(8)))


async def test_the_longest_lists_of_values_are_taken(shared: World, envoy: Envoy) -> None:
    values = tuple(f"{number:02d}{'.|(' * 42}" for number in range(32))
    rules = [
        RuleRoute("header", (Condition("header", "x-region", "values", values),), None, arms({"b": 10_000})),
        RuleRoute("body", (Condition("body", "device", "values", values),), None, arms({"c": 10_000})),
    ]
    shared.xds.set_route(replace(policy("long", {"a": 10_000}), rules=tuple(rules)))
    await shared.acked("long")
    for body, headers, pod in (
        ({}, {"x-region": values[31]}, "b"),
        ({"device": values[0]}, {}, "c"),
        ({"device": values[0] + "x"}, {"x-region": values[31][:-1]}, "a"),
    ):
        assert (await envoy.predict("long", json=body, headers=headers))[1]["pod"] == pod


async def test_the_random_policies_use_every_rule() -> None:
    """Else the test above would compare nothing."""
    dice = random.Random(1)
    seen = set()
    for name in POLICIES:
        for _ in range(300):
            seen.update((name, share.rule) for share in answer(POLICIES[name], request(dice)).shares)
    rules = {(name, each.name) for name, route in POLICIES.items() for each in route.rules}
    assert len(seen & rules) > 0.6 * len(rules)
