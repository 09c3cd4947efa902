"""Rules as Envoy takes them are those that `plan.explain` tells: the same arm for every request."""

import asyncio
import random
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import BODY, COOKIE, HEADER, World, policy

from turnout_operator.plan.explain import Request, answer
from turnout_operator.plan.routes import ArmRoute, Condition, PolicyRoute, RuleRoute, Sticky

pytestmark = pytest.mark.asyncio(loop_scope="module")
ARMS = "abcd"
HEADERS = ("x-region", "x-age", "x-device")
QUERY = ("tier", "q")
FIELDS = ("context.tier", "context.age", "device")
TEXTS = ("eu", "eu-west", "uk", "gold", "a.b|c", "17", "18", "42", "x y", "é")
COOKIES = ("customer={}", "a=b; customer={}", 'customer="{}"; x', "customer=; customer={}", "customer=é{}")
PLAIN = ("eu", "eu-west", "uk", "gold", "17", "18", "42")


def arms(weights: dict[str, int]) -> tuple[ArmRoute, ...]:
    return tuple(ArmRoute(arm, f"demo/{arm}", arm, weight) for arm, weight in weights.items())


def condition(dice: random.Random) -> Condition:
    source = dice.choice(("header", "header", "query", "body"))
    name = dice.choice({"header": HEADERS, "query": QUERY, "body": FIELDS}[source])
    invert = source != "query" and dice.random() < 0.3
    texts = tuple(dice.sample(PLAIN if source == "query" else TEXTS[:-1], dice.randint(1, 4)))
    kind = dice.choice(
        ("values", "values", "prefix", "suffix", "contains", "present", *(["range"] * (source != "query")))
    )
    if kind == "range":
        low, high = sorted((dice.randint(-5, 50), dice.randint(-5, 50)))
        bounds = dice.choice(((low, high), (None, high), (low, None)))
        return Condition(source, name, "range", bounds, invert)
    operands = {"values": texts, "present": ()}.get(kind, (dice.choice(texts)[: dice.randint(1, 3)].strip(),))
    return Condition(source, name, kind, operands, invert)


def rule(dice: random.Random, number: int, sticky: bool) -> RuleRoute:
    conditions = tuple(dict.fromkeys(condition(dice) for _ in range(dice.randint(1, 2))))
    cohorts = None
    if sticky and number in (0, 2):
        first, last = sorted((dice.randrange(10_000), dice.randrange(10_000)))
        cohorts, conditions = (first, last), conditions[: dice.randint(0, 1)]
    share = dice.randrange(10_001)
    one, other = dice.sample(ARMS, 2)
    return RuleRoute(f"rule-{number}", conditions, cohorts, arms({one: share, other: 10_000 - share}))


def random_policy(name: str, seed: int, sticky: Sticky | None) -> PolicyRoute:
    dice = random.Random(seed)
    plain = policy(name, {"a": 6_000, "b": 1_000, "c": 3_000}, sticky=sticky)
    return replace(plain, rules=tuple(rule(dice, number, sticky is not None) for number in range(dice.randint(1, 6))))


STICKY = (HEADER, BODY, COOKIE, None)
POLICIES = {f"rules-{seed}": random_policy(f"rules-{seed}", seed, STICKY[seed % 4]) for seed in range(16)}


def value(dice: random.Random) -> Any:
    return dice.choice((*TEXTS, 17, 18, 41.5, -3, True, None, [], {}, "", 2**40))


def request(dice: random.Random) -> Request:
    headers = {name: dice.choice(TEXTS[:-1]) for name in HEADERS if dice.random() < 0.6}
    if dice.random() < 0.8:
        headers["x-entity-id"] = f"customer-{dice.randrange(10_000)}"
    if dice.random() < 0.8:
        text = dice.choice(
            ("customer={}", "a=b; customer={}", 'customer="{}"; x', "customer=; customer={}", "customer=é{}")
        )
        headers["cookie"] = text.format(dice.randrange(10_000))
    query = {name: quote(dice.choice(TEXTS), safe="") for name in QUERY if dice.random() < 0.6}
    context = {"tier": value(dice), "age": value(dice)}
    customer = {"customer": {"id": f"customer-{dice.randrange(10_000)}"}} if dice.random() < 0.8 else {}
    return Request(
        headers, query, {**customer, "device": value(dice), "context": dice.choice((context, context, "none"))}
    )


def _query(asked: Request) -> str:
    return "&".join(f"{name}={text}" for name, text in asked.query.items())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods(*ARMS)
    await shared.serve(*POLICIES.values())
    return await shared.start_envoy()


async def test_every_request_goes_where_explain_says(envoy: Envoy) -> None:
    async def ask(share: int) -> None:
        dice = random.Random(share)
        for _ in range(125):
            name = dice.choice(list(POLICIES))
            asked = request(dice)
            said = answer(POLICIES[name], asked)
            status, got = await envoy.predict(name, json=asked.body, headers=asked.headers, params=_query(asked))
            where = {(each.arm.name, each.rule) for each in said.shares}
            assert status == 200
            found = (got["pod"], got["headers"].get("x-turnout-rule"))
            assert found in where, f"{found} not in {where}\n{POLICIES[name].rules}\n{asked}"

    await asyncio.gather(*(ask(share) for share in range(8)))


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
