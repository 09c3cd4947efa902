"""The fallback ladder in a real Envoy: who answers when the chosen arm can't, and who is told."""

import asyncio
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import World, policy

from turnout_operator.plan.explain import Request, answer
from turnout_operator.plan.routes import ArmRoute, Fallback, PolicyRoute, Static

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALL = frozenset({"5xx", "timeout", "overload"})
STATIC = Static('"on_time" 100% \\n %REQ(:path)% {} %', 0.1, -1e-7)
TIMEOUT = 1.2


def ladder(name: str, *arms: str, static: Static | None = STATIC, **more: Any) -> PolicyRoute:
    """An objective of arm main, with these arms and the static answer below it."""
    fields = {"failures": ALL, "after": None, "max_concurrent": 64, **more}
    rungs = tuple(ArmRoute(arm, f"demo/{arm}", arm, 0) for arm in arms)
    plain = policy(name, {"main": 10_000}, timeout=TIMEOUT, version="v%1")
    return replace(plain, fallback=Fallback(rungs, static, **fields))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods("main", "next", "last", "free")
    await shared.serve(
        ladder("open", "next", "last"),
        ladder("closed", "next", static=None),
        ladder("constant"),
        ladder("picky", "next", failures=frozenset()),
        ladder("hasty", "next", after=0.15),
        ladder("tight", "free", max_concurrent=4),
        replace(ladder("unready"), arms=()),
        replace(policy("empty", {"nobody": 10_000}), fallback=ladder("x", "next").fallback),
        replace(policy("void", {"nobody": 10_000}), fallback=ladder("x", "nothing").fallback),
        replace(policy("void-closed", {"nobody": 10_000}), fallback=ladder("x", "nothing", static=None).fallback),
        replace(policy("again", {"next": 10_000}), fallback=ladder("x", "next", "last").fallback),
        replace(policy("itself", {"main": 5_000, "next": 5_000}), fallback=ladder("x", "next", static=None).fallback),
    )
    return await shared.start_envoy()


@pytest.fixture(autouse=True)
def well(shared: World, envoy: Envoy) -> Iterator[None]:
    yield
    for pod in shared.pods.values():
        pod.status, pod.delay, pod.aborts, pod.asked, pod.most = 200, 0.0, False, 0, 0


async def ask(envoy: Envoy, objective: str, **more: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    url = f"{envoy.url}/v1/demo/{objective}/{more.pop('path', 'predict')}"
    async with envoy.session.post(url, **more) as response:
        said = {name.lower(): value for name, value in response.headers.items()}
        return response.status, await response.json(content_type=None), said


def breaks(world: World, how: str, *pods: str) -> None:
    for name in pods:
        pod = world.pods[name]
        if how == "slow":
            pod.delay = 3.0
        elif how == "reset":
            pod.aborts = True
        else:
            pod.status = int(how)


HOWS = ["500", "503", "429", "slow", "reset"]


async def test_a_well_arm_answers_itself(envoy: Envoy) -> None:
    status, got, headers = await ask(envoy, "open", json={"a": 1})
    assert (status, got["pod"], headers["x-turnout-arm"]) == (200, "main", "main")
    assert "x-turnout-fallback" not in headers
    assert "x-turnout-fallback-arm" not in got["headers"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("broken", [("main",), ("main", "next")])
async def test_the_next_arm_answers_and_says_so(shared: World, envoy: Envoy, how: str, broken: tuple[str, ...]) -> None:
    breaks(shared, how, *broken)
    taker = "next" if broken == ("main",) else "last"
    status, got, headers = await ask(envoy, "open", json={"a": 1})
    assert (status, got["pod"]) == (200, taker)
    assert (headers["x-turnout-arm"], headers["x-turnout-fallback"]) == (taker, "arm")
    told = got["headers"]
    assert (told["x-turnout-arm"], told["x-turnout-fallback-arm"]) == ("main", taker)
    assert [shared.pods[pod].asked for pod in broken] == [1] * len(broken)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("objective", ["open", "constant"])
async def test_the_static_answer_is_the_last(shared: World, envoy: Envoy, how: str, objective: str) -> None:
    breaks(shared, how, "main", "next", "last")
    status, got, headers = await ask(envoy, objective, json={"a": 1}, headers={"x-request-id": 'a"b\\'})
    assert status == 200
    assert got == {
        "prediction_id": None,
        "request_id": 'a"b\\',
        "model_version": None,
        "policy_version": "v%1",
        "score": STATIC.score,
        "decision": STATIC.decision,
        "confidence": STATIC.confidence,
        "explanations_ref": None,
        "fallback_used": True,
        "fallback": "static",
    }
    assert headers["content-type"] == "application/json"
    assert (headers["x-turnout-fallback"], headers["x-turnout-arm"]) == ("static", "")


async def test_explain_tells_the_ladder(shared: World, envoy: Envoy) -> None:
    said = answer(ladder("open", "next", "last"), Request(headers={"x-entity-id": "one"}))
    way = [said.shares[0].arm.name, *(arm.name for arm in said.ladders[0])]
    for arm in way:
        assert (await ask(envoy, "open", headers={"x-entity-id": "one"}))[2]["x-turnout-arm"] == arm
        breaks(shared, "503", arm)
    assert said.static is not None
    assert (await ask(envoy, "open"))[1]["decision"] == said.static.decision
    assert answer(replace(ladder("unready"), arms=()), Request()).static == STATIC


async def test_an_arm_without_pods_is_passed_over_at_once(shared: World, envoy: Envoy) -> None:
    status, got, headers = await ask(envoy, "empty", json={"a": 1})
    assert (status, got["pod"], headers["x-turnout-arm"]) == (200, "next", "next")
    assert got["headers"]["x-turnout-fallback-arm"] == "next"
    assert (await ask(envoy, "void"))[1]["fallback"] == "static"
    assert (await ask(envoy, "unready"))[1]["fallback"] == "static"
    status, got, headers = await ask(envoy, "void-closed")
    assert (status, got["type"]) == (503, "https://turnout.dev/problems/no-endpoints")
    assert headers["retry-after"] == "1"


async def test_without_a_static_answer_the_last_failure_is_told(shared: World, envoy: Envoy) -> None:
    breaks(shared, "503", "main", "next")
    status, got, headers = await ask(envoy, "closed")
    assert (status, got["pod"], headers["x-turnout-arm"]) == (503, "next", "next")
    breaks(shared, "slow", "main", "next")
    status, got, headers = await ask(envoy, "closed")
    assert (status, got["type"]) == (504, "https://turnout.dev/problems/timeout")


async def test_what_is_not_asked_for_does_not_lead_on(shared: World, envoy: Envoy) -> None:
    for how in ("500", "429"):
        breaks(shared, how, "main")
        assert (await ask(envoy, "picky"))[0] == int(how)
    shared.pods["main"].status = 200
    breaks(shared, "reset", "main")
    assert (await ask(envoy, "picky"))[1]["pod"] == "next"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_callers_own_mistakes_stay_theirs(shared: World, envoy: Envoy, status: int) -> None:
    shared.pods["main"].status = status
    assert (await ask(envoy, "open"))[0] == status
    assert shared.pods["next"].asked == 0


async def test_time_is_left_to_the_next_rung(shared: World, envoy: Envoy) -> None:
    breaks(shared, "slow", "main")
    start = asyncio.get_running_loop().time()
    status, got, _ = await ask(envoy, "hasty")
    assert (status, got["pod"]) == (200, "next")
    assert asyncio.get_running_loop().time() - start < 1.0
    assert got["headers"]["x-envoy-expected-rq-timeout-ms"] == "150"


async def test_large_bodies_are_sent_again(shared: World, envoy: Envoy) -> None:
    breaks(shared, "503", "main")
    assert (await ask(envoy, "open", data=io.BytesIO(b"x" * 3_000_000)))[1]["pod"] == "next"


async def test_other_paths_go_down_the_arms_only(shared: World, envoy: Envoy) -> None:
    breaks(shared, "503", "main")
    assert (await ask(envoy, "open", path="v2/models/open/infer"))[1]["pod"] == "next"
    breaks(shared, "503", "next", "last")
    status, got, _ = await ask(envoy, "open", path="v2/models/open/infer")
    assert (status, got["pod"]) == (503, "last")


async def test_an_overload_is_handed_on_only_so_far(shared: World, envoy: Envoy) -> None:
    breaks(shared, "429", "main")
    shared.pods["free"].delay = 0.2
    answers = await asyncio.gather(*(ask(envoy, "tight", json={}) for _ in range(48)))
    found = Counter((status, headers["x-turnout-fallback"]) for status, _, headers in answers)
    assert found == {(200, "arm"): 4, (200, "static"): 44}
    assert shared.pods["free"].most == 4


async def test_an_arm_is_not_its_own_fallback(shared: World, envoy: Envoy) -> None:
    breaks(shared, "503", "next")
    answers = [await ask(envoy, "itself", headers={"x-entity-id": str(number)}) for number in range(40)]
    assert {(status, headers["x-turnout-arm"]) for status, _, headers in answers} == {(200, "main"), (503, "next")}
    assert not any("x-turnout-fallback" in headers for _, _, headers in answers)


async def test_an_arm_that_is_asked_again_answers_for_itself(shared: World, envoy: Envoy) -> None:
    breaks(shared, "503", "next", "last")
    shared.pods["last"].delay = 0.3
    asking = asyncio.create_task(ask(envoy, "again"))
    while not shared.pods["last"].asked:
        await asyncio.sleep(0.005)
    shared.pods["next"].status = 200
    status, got, headers = await asking
    assert (status, got["pod"], headers["x-turnout-arm"]) == (200, "next", "next")
    assert "x-turnout-fallback-arm" not in got["headers"]
    assert "x-turnout-fallback" not in headers
