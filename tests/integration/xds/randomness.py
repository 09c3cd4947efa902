"""Random policies, and random requests that their rules are about."""

import random
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import BODY, COOKIE, HEADER, policy

from turnout_operator.api.fallback import FAILURES
from turnout_operator.plan.cohorts import allot
from turnout_operator.plan.explain import Request, answer
from turnout_operator.plan.routes import (
    ArmRoute,
    Condition,
    Fallback,
    Layout,
    PolicyRoute,
    RuleRoute,
    Shadow,
    Static,
    Sticky,
)
from turnout_runtime.predict.route import route_of

ARMS = "abcd"
SPLIT = {"a": 6_000, "b": 1_000, "c": 3_000}
ODD = (
    *(
        "",
        " 17",
        "+17",
        "-5",
        "17.0",
        "1e1",
        ".5",
        "0x11",
        "0x1p5",
        "-0X.8",
        "1_7",
        "²",
        "17 ",
        "EU",
        "a\tb",
        "é" * 40,
        "inf",
        "nan",
        "1e400",
    ),
    *("1e400", str(2**63), str(-(2**63)), str(-(2**63) - 1), "9" * 30),
)
NUMBERS = (17, 18, 41.5, -3, 2**40, 2**63, 2**64, -(2**63), 1e15 + 0.5, 1e-9, 1e300, 17.0, -0.0)
HEADERS = ("x-region", "x-age", "x-device")
QUERY = ("tier", "q")
FIELDS = ("context.tier", "context.age", "device")
TEXTS = ("eu", "eu-west", "uk", "gold", "a.b|c", "17", "18", "42", "x y", "é")
COOKIES = ("customer={}", "a=b; customer={}", 'customer="{}"; x', "customer=; customer={}", "customer=é{}")
STICKY = (HEADER, BODY, COOKIE, None)
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
    plain = policy(name, SPLIT, sticky=sticky)
    rules = tuple(rule(dice, number, sticky is not None) for number in range(dice.randint(1, 6)))
    parts = {"shadows": shadows(random.Random(seed)), "fallback": ladder(random.Random(seed + 1))}
    return replace(plain, rules=rules, layout=layout(random.Random(seed)) if sticky else (), **parts)


def layout(dice: random.Random) -> Layout:
    """The cohorts of the split after up to three others: some arms then have several spans."""
    found: Layout = ()
    for _ in range(dice.randint(0, 3)):
        first, last = sorted((dice.randrange(10_001), dice.randrange(10_001)))
        found = allot({"a": first, "b": last - first, "c": 10_000 - last}, found)
    return allot(SPLIT, found)


def ladder(dice: random.Random) -> Fallback | None:
    """None, or of up to two arms, mostly with a static answer below them."""
    rungs = tuple(ArmRoute(arm, f"demo/{arm}", arm, 0) for arm in dice.sample(ARMS, dice.choice((0, 1, 2))))
    static = Static("review", 0.5, 0.0) if dice.random() < 0.7 else None
    return Fallback(rungs, static, frozenset(FAILURES), None, 64) if (rungs or static) and dice.random() < 0.5 else None


def shadows(dice: random.Random) -> tuple[Shadow, ...]:
    """Of none to two arms, of all bodies or some."""
    sizes = (0, 100, 1 << 20)
    return tuple(
        Shadow(ArmRoute(arm, f"demo/{arm}", arm, 0), dice.randint(1, 5_000), 64, dice.choice(sizes))
        for arm in dice.sample(ARMS, dice.choice((0, 0, 1, 2)))
    )


def random_policies(seeds: range) -> dict[str, PolicyRoute]:
    return {f"rules-{seed}": random_policy(f"rules-{seed}", seed, STICKY[seed % 4]) for seed in seeds}


def value(dice: random.Random) -> Any:
    if dice.random() < 0.2:
        return dice.choice((*ODD, *NUMBERS))
    return dice.choice((*TEXTS, 17, 18, 41.5, -3, True, False, None, [], {}, [17], {"a": 17}, ""))


def text(dice: random.Random) -> str:
    return dice.choice(ODD if dice.random() < 0.15 else TEXTS)


def request(dice: random.Random) -> Request:
    headers = {name: text(dice) for name in HEADERS if dice.random() < 0.6}
    if dice.random() < 0.8:
        headers["x-entity-id"] = text(dice) if dice.random() < 0.1 else f"customer-{dice.randrange(10_000)}"
    if dice.random() < 0.8:
        headers["cookie"] = dice.choice(COOKIES).format(dice.randrange(10_000))
    query = {name: quote(text(dice), safe="") for name in QUERY if dice.random() < 0.6}
    return Request(headers, query, value(dice) if dice.random() < 0.05 else body(dice))


def body(dice: random.Random) -> dict[str, Any]:
    context = {"tier": value(dice), "age": value(dice)}
    entity = value(dice) if dice.random() < 0.1 else f"customer-{dice.randrange(10_000)}"
    customer = {"customer": {"id": entity}} if dice.random() < 0.8 else {}
    return {**customer, "device": value(dice), "context": dice.choice((context, context, "none"))}


async def compare(envoy: Envoy, policies: dict[str, PolicyRoute], dice: random.Random, number: int) -> None:
    """So many random requests, each answered by an arm and for a reason that `explain` tells."""
    for _ in range(number):
        name, asked = dice.choice(list(policies)), request(dice)
        said = answer(policies[name], asked)
        query = "&".join(f"{key}={text}" for key, text in asked.query.items())
        status, got = await envoy.predict(name, json=asked.body, headers=asked.headers, params=query)
        if said.refused:
            assert (status, got["type"].rpartition("/")[2]) == (400, "invalid-entity-id"), f"{said}\n{asked}"
            continue
        told = got["headers"] if status == 200 else {}
        where = {(each.arm.name, each.rule, f"{each.propensity:g}") for each in said.shares}
        found = (told.get("x-turnout-arm"), told.get("x-turnout-rule"), told.get("x-turnout-propensity"))
        assert found in where, f"{status} {found} not in {where}\n{policies[name]}\n{asked}"
        entity = route_of(name, told).entity
        assert entity == (said.entity and said.entity[:256]), f"{entity} is not {said.entity}\n{asked}"
