"""An entity in a cookie: the gateway, `explain` and the pod find the same one in whatever header."""

import asyncio

import pytest
import pytest_asyncio
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import COOKIE, World, policy

from turnout_operator.plan.explain import Request, answer
from turnout_operator.plan.routes import Sticky
from turnout_runtime.predict.route import route_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
HALF = {"a": 5_000, "b": 5_000}
POLICIES = {
    "cookie": policy("cookie", HALF, sticky=COOKIE),
    "odd-name": policy("odd-name", HALF, sticky=Sticky("cookie", "a.b|c$^+*`~!#%&_-")),
}
FOUND = [
    "customer={}",
    "a=b; customer={}",
    "a=b;customer={};c=d",
    "a=b;\tcustomer={} ; c",
    'customer="{}"',
    "customer=; customer={}",
    'customer=""; customer={}; customer=other',
    "customer={}; customer=other",
    "xcustomer=1; customer={}",
    "other=é; customer={}; one=é",
    "customer=two words {}",
    "customer=a={}",
    "; ;; customer={}",
]
NONE = [
    "",
    "a=b",
    "customer",
    "customer=",
    "customer =1",
    "Customer=1",
    "xcustomer=1",
    "customer=é",
    'customer="',
    "a=customer=1",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods("a", "b")
    await shared.serve(*POLICIES.values())
    return await shared.start_envoy()


async def pods(envoy: Envoy, objective: str, cookie: str, path: str = "predict") -> set[str]:
    """The pods that answer; asserts that they are told the entity that `explain` finds."""
    said = answer(POLICIES[objective], Request({"cookie": cookie}))
    url = f"{envoy.url}/v1/demo/{objective}/{path}"
    found = set()
    for _ in range(24 if said.entity is None else 2):
        async with envoy.session.post(url, headers={"cookie": cookie}) as response:
            assert response.status == 200
            got = await response.json()
        told = route_of(objective, got["headers"])
        assert (told.entity, told.cohort) == (said.entity, said.cohort)
        found.add(got["pod"])
    return found


@pytest.mark.parametrize("header", FOUND)
async def test_the_entity_of_a_cookie_sticks(envoy: Envoy, header: str) -> None:
    texts = [header.format(number) for number in range(12)]
    found = await asyncio.gather(*(pods(envoy, "cookie", text) for text in texts))
    said = [answer(POLICIES["cookie"], Request({"cookie": text})) for text in texts]
    assert [{each.shares[0].arm.name} for each in said] == found
    assert all(each.entity for each in said)


@pytest.mark.parametrize("header", NONE)
async def test_who_has_no_such_cookie_is_drawn(envoy: Envoy, header: str) -> None:
    assert await pods(envoy, "cookie", header) == {"a", "b"}


async def test_any_name_and_any_path(envoy: Envoy) -> None:
    for number in range(12):
        cookie = f"x=1; a.b|c$^+*`~!#%&_-={number}"
        predicted = await pods(envoy, "odd-name", cookie)
        assert len(predicted) == 1
        assert await pods(envoy, "odd-name", cookie, "v2/models/fd/infer") == predicted


async def test_a_pod_believes_the_gateway_alone(envoy: Envoy) -> None:
    spoofed = {"x-turnout-entity-cookie": "customer", "x-turnout-entity": "someone", "cookie": "customer=é; other=1"}
    _, got = await envoy.predict("cookie", headers=spoofed)
    assert route_of("cookie", got["headers"]).entity is None
