"""What callers get besides predictions, and what pods get to know."""

import io
import re

import pytest
import pytest_asyncio
from aiohttp import ClientPayloadError
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import BODY, World, policy

PROBLEMS = "https://turnout.dev/problems/"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(shared: World) -> Envoy:
    await shared.start_pods("a", "b", "slow", "partly", "gone", "streamer")
    await shared.serve(
        policy("fd", {"a": 10_000}, version="abc123"),
        policy("body", {"a": 10_000}, sticky=BODY),
        policy("plain", {"a": 10_000}, sticky=None),
        policy("split", {"a": 5_000, "b": 5_000}),
        policy("body-split", {"a": 5_000, "b": 5_000}, sticky=BODY),
        policy("streaming", {"streamer": 10_000}, timeout=0.2, stream=1.5),
        policy("hasty", {"slow": 10_000}, timeout=0.1),
        policy("empty", {"nobody": 10_000}),
        policy("unready", {}),
        policy("unready-body", {}, sticky=BODY),
        policy("partly", {"partly": 10_000}),
        policy("gone", {"gone": 10_000}),
    )
    return await shared.start_envoy()


async def problem(envoy: Envoy, path: str, method: str = "POST", **more: object) -> tuple[int, str, dict[str, str]]:
    """Ask by hand; returns status, the problem's slug and the headers. Asserts that it is a problem."""
    async with envoy.session.request(method, envoy.url + path, **more) as response:  # type: ignore[arg-type]
        assert response.content_type == "application/problem+json"
        body = await response.json()
        assert body["status"] == response.status
        assert body["title"]
        return response.status, body["type"].removeprefix(PROBLEMS), dict(response.headers)


async def test_pods_learn_objective_version_arm_propensity_and_entity(envoy: Envoy) -> None:
    status, answer = await envoy.predict("fd", "customer-1")
    told = {name: value for name, value in answer["headers"].items() if name.startswith("x-turnout-")}
    assert status == 200
    assert told == {
        "x-turnout-objective": "demo/fd",
        "x-turnout-policy-version": "abc123",
        "x-turnout-arm": "a",
        "x-turnout-propensity": "1",
        "x-turnout-entity": "customer-1",
    }


async def test_callers_learn_arm_and_version(envoy: Envoy) -> None:
    async with envoy.session.post(f"{envoy.url}/v1/demo/fd/predict") as response:
        assert response.headers["x-turnout-arm"] == "a"
        assert response.headers["x-turnout-policy-version"] == "abc123"


@pytest.mark.parametrize("objective", ["fd", "body", "plain"])
async def test_callers_cannot_set_what_the_gateway_vouches_for(envoy: Envoy, objective: str) -> None:
    spoofed = {f"X-Turnout-{name}": "spoofed" for name in ("Objective", "Arm", "Entity", "Propensity", "Shadow", "New")}
    _, answer = await envoy.predict(objective, headers={**spoofed, "x-envoy-upstream-rq-timeout-ms": "1"})
    assert "spoofed" not in answer["headers"].values()
    assert "x-turnout-entity" not in answer["headers"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/demo/unknown/predict",
        "/v1/other/fd/predict",
        "/v1/demo/fd",
        "/v1/demo/fd-2/openapi.json",
        "/v2/demo/fd/predict",
        "/v1/demo/../demo2/fd/predict",
        "/v2/health/live",
        "/",
    ],
)
async def test_unknown_paths(envoy: Envoy, path: str) -> None:
    assert (await problem(envoy, path))[:2] == (404, "unknown-objective")


OTHERS = [
    ("GET", "openapi.json"),
    ("GET", "v2/health/ready"),
    ("POST", "v2/models/fd/infer"),
    ("HEAD", "v2"),
    ("GET", ""),
]


@pytest.mark.parametrize("objective", ["fd", "body", "plain"])
@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_all_below_an_objective_is_the_pods_business(
    envoy: Envoy, objective: str, method: str, path: str
) -> None:
    url = f"{envoy.url}/v1/demo/{objective}/{path}"
    spoofed = {"x-turnout-arm": "spoofed", "x-turnout-shadow": "true", "x-turnout-new": "spoofed"}
    async with envoy.session.request(method, url, headers=spoofed) as response:
        assert response.status == 200
        assert response.headers["x-turnout-arm"] == "a"
        if method == "HEAD":
            return
        answer = await response.json()
    assert (answer["method"], answer["path"]) == (method, f"/v1/demo/{objective}/{path}")
    told = {name: value for name, value in answer["headers"].items() if name.startswith("x-turnout-")}
    assert told.keys() == {
        "x-turnout-objective", "x-turnout-policy-version", "x-turnout-arm", "x-turnout-propensity"
    }  # fmt: skip
    assert told["x-turnout-objective"] == f"demo/{objective}"


async def test_feedback_goes_to_one_arm_whoever_it_is_about(envoy: Envoy) -> None:
    for objective in ("split", "body-split"):
        for entity in map(str, range(20)):
            url, more = f"{envoy.url}/v1/demo/{objective}/feedback", {"customer": {"id": entity}, "label": 1}
            async with envoy.session.post(url, headers={"x-entity-id": entity}, json=more) as response:
                answer = await response.json()
            assert (answer["pod"], answer["path"]) == ("a", f"/v1/demo/{objective}/feedback")
            told = {name for name in answer["headers"] if name.startswith("x-turnout-")}
            assert told == {"x-turnout-objective", "x-turnout-policy-version"}
            assert "x-turnout-arm" not in response.headers


async def test_feedback_has_a_time_of_its_own(shared: World, envoy: Envoy) -> None:
    shared.pods["slow"].delay = 0.3
    async with envoy.session.post(f"{envoy.url}/v1/demo/hasty/feedback", json={}) as response:
        assert response.status == 200
    assert (await problem(envoy, "/v1/demo/unready/feedback"))[:2] == (503, "no-ready-revision")


async def test_an_entity_in_a_header_sticks_on_every_path(envoy: Envoy) -> None:
    async def arm(objective: str, path: str, entity: str) -> str:
        url = f"{envoy.url}/v1/demo/{objective}/{path}"
        async with envoy.session.post(url, headers={"x-entity-id": entity}) as response:
            if path != "predict":
                assert (await response.json())["headers"]["x-turnout-entity"] == entity
            return response.headers["x-turnout-arm"]

    arms = {entity: await arm("split", "predict", entity) for entity in map(str, range(40))}
    assert set(arms.values()) == {"a", "b"}
    assert {entity: await arm("split", "v2/models/fd/infer", entity) for entity in arms} == arms


async def test_a_bad_header_id_is_refused_on_every_path(envoy: Envoy) -> None:
    answer = await problem(envoy, "/v1/demo/fd/v2/models/fd/infer", headers={"x-entity-id": "café"})
    assert answer[:2] == (400, "invalid-entity-id")


async def stream(envoy: Envoy, objective: str, accept: str = "text/event-stream") -> str:
    url = f"{envoy.url}/v1/demo/{objective}/predict"
    async with envoy.session.post(url, headers={"accept": accept}) as response:
        return await response.text()


async def test_a_stream_is_not_cut_by_the_policys_timeout(shared: World, envoy: Envoy) -> None:
    shared.pods["streamer"].delay = 0.6
    for accept in ("text/event-stream", "application/json, text/event-stream;q=0.9"):
        assert "event: decision" in await stream(envoy, "streaming", accept)
    assert (await problem(envoy, "/v1/demo/streaming/predict"))[:2] == (504, "timeout")


async def test_a_stream_ends_with_the_pods_own_time(shared: World, envoy: Envoy) -> None:
    shared.pods["streamer"].delay = 3.0
    with pytest.raises(ClientPayloadError):
        await stream(envoy, "streaming")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods(envoy: Envoy, method: str) -> None:
    status, slug, headers = await problem(envoy, "/v1/demo/fd/predict?x=1", method)
    assert (status, slug, headers["Allow"]) == (405, "method-not-allowed", "POST")


@pytest.mark.parametrize("entity", ["café", "Ж", "tab\tbed", "", " "])
async def test_bad_header_ids(envoy: Envoy, entity: str) -> None:
    answer = await problem(envoy, "/v1/demo/fd/predict", headers={"x-entity-id": entity})
    assert answer[:2] == (400, "invalid-entity-id")


@pytest.mark.parametrize("entity", ["café", "a\r\nx-turnout-arm: evil", "nul\0", "tab\tbed", " blank"])
async def test_bad_body_ids(envoy: Envoy, entity: str) -> None:
    answer = await problem(envoy, "/v1/demo/body/predict", json={"customer": {"id": entity}})
    assert answer[:2] == (400, "invalid-entity-id")


async def test_a_body_too_large_to_read(envoy: Envoy) -> None:
    answer = await problem(envoy, "/v1/demo/body/predict", data=io.BytesIO(b"x" * 5_000_000))
    assert answer[:2] == (413, "body-too-large")


async def test_no_endpoints(envoy: Envoy) -> None:
    assert (await problem(envoy, "/v1/demo/empty/predict"))[:2] == (503, "no-endpoints")


@pytest.mark.parametrize("objective", ["unready", "unready-body"])
async def test_an_objective_without_a_ready_revision(shared: World, envoy: Envoy, objective: str) -> None:
    status, slug, headers = await problem(envoy, f"/v1/demo/{objective}/predict", json={"customer": {"id": "one"}})
    assert (status, slug, headers["Retry-After"]) == (503, "no-ready-revision", "1")
    assert shared.seen(objective).acked == 1


async def test_nothing_of_an_objective_without_a_ready_revision_answers(envoy: Envoy) -> None:
    assert (await problem(envoy, "/v1/demo/unready/openapi.json", "GET"))[:2] == (503, "no-ready-revision")


async def test_timeout_is_the_policys(shared: World, envoy: Envoy) -> None:
    shared.pods["slow"].delay = 0.3
    assert (await problem(envoy, "/v1/demo/hasty/predict"))[:2] == (504, "timeout")


async def test_a_dead_pod_is_retried_on_another_host(shared: World, envoy: Envoy) -> None:
    dead = shared.pods["partly"].endpoint
    await shared.pods["partly"].stop()
    shared.xds.set_endpoints("demo/partly", [dead, shared.pods["a"].endpoint])
    await envoy.endpoints_are("demo/partly", 2)
    assert {(await envoy.predict("partly"))[0] for _ in range(20)} == {200}


async def test_pods_that_all_refuse(shared: World, envoy: Envoy) -> None:
    await shared.pods["gone"].stop()
    assert (await problem(envoy, "/v1/demo/gone/predict"))[:2] == (503, "upstream-unavailable")


async def test_the_bootstrap_shows_readiness_and_metrics_and_no_more(shared: World, envoy: Envoy) -> None:
    await envoy.predict("fd", "customer-1")
    status = await envoy.status_url()
    async with shared.session.get(f"{status}/ready") as response:
        assert (response.status, (await response.text()).strip()) == (200, "LIVE")
    async with shared.session.get(f"{status}/stats/prometheus") as response:
        metrics = await response.text()
    assert re.search(r'envoy_cluster_upstream_rq_total{envoy_cluster_name="demo/a"} [1-9]', metrics)
    assert "envoy_cluster_upstream_cx_rx_bytes" not in metrics
    async with shared.session.get(f"{status}/config_dump") as response:
        assert response.status == 404
