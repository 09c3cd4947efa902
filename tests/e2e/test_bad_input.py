"""Bad input after admission: a condition says what to do, and what served before keeps serving."""

import asyncio

import aiohttp
import pytest
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.traffic import Traffic

WRONG = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def served(namespace: Namespace, gateway: str, bundles) -> tuple[str, str, str]:
    """A ModelDeployment that serves: its revision, its URL and the good digest."""
    digest = bundles["echo"][1]
    namespace.apply(model_deployment("m", digest), routing_policy("m", arm("main", "m")))
    revision = namespace.wait_ready("md", "m")["status"]["latestReadyRevision"]
    namespace.wait_ready("rp", "m")
    return revision, f"{gateway}/v1/{namespace.name}/m/predict", digest


def bad_specs(digest: str, bundles) -> dict[str, dict]:
    return {
        "DigestMismatch": {"bundle": {"uri": "configmap://echo", "digest": WRONG}},
        "BundleNotFound": {"bundle": {"uri": "configmap://missing", "digest": digest}},
        "WorkflowImportError": {"bundle": {"uri": "configmap://import-error", "digest": bundles["import-error"][1]}},
        "InsufficientGPU": {"resources": {"gpu": {"count": 5}}},
        "ImagePullFailed": {"runtime": {"image": "turnout.local/missing:1", "imagePullPolicy": "Never"}},
    }


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("DigestMismatch", WRONG),
        ("BundleNotFound", "missing"),
        ("WorkflowImportError", "helper.py:2: KeyError"),
        ("InsufficientGPU", "spec.resources.gpu.count"),
        ("ImagePullFailed", "spec.runtime.image"),
    ],
)
def test_a_bad_revision_says_why_and_the_one_before_serves_on(namespace, served, bundles, reason, says):
    revision, url, digest = served
    good = model_deployment("m", digest)
    with Traffic(url, clients=2) as traffic:
        bad = {**good, "spec": {**good["spec"], **bad_specs(digest, bundles)[reason]}}
        namespace.apply(bad)
        ready = namespace.wait_condition("md", "m", "Ready", reason, 90)
        eventually(lambda: _more(traffic, 50))
        namespace.apply(good)
        back = namespace.wait_ready("md", "m")
    assert says in ready["message"]
    assert f"{revision} keeps serving" in ready["message"]
    assert back["status"]["latestReadyRevision"] == revision
    assert traffic.tally.failures == []
    assert set(traffic.tally.revisions) == {revision}


def test_an_http_bundle_that_is_not_there(namespace, served):
    namespace.apply(model_deployment("gone", WRONG, uri="http://127.0.0.1:9/bundle.tar.gz"))
    ready = namespace.wait_condition("md", "gone", "BundleVerified", "BundleNotFound", 90)
    assert "http://127.0.0.1:9/bundle.tar.gz" in ready["message"]


def test_a_missing_volume_claim(namespace, served):
    namespace.apply(model_deployment("claim", WRONG, uri="pvc://nope/models/1"))
    ready = namespace.wait_condition("md", "claim", "BundleVerified", "BundleNotFound", 60)
    assert "nope" in ready["message"]


def test_an_unknown_model_deployment_is_named_and_the_old_split_stays(namespace, served):
    _, url, _ = served
    with Traffic(url, clients=2) as traffic:
        namespace.apply(routing_policy("m", arm("main", "m", 50), arm("new", "typo", 50)))
        ready = namespace.wait_condition("rp", "m", "Ready", "ModelDeploymentNotFound")
        eventually(lambda: _more(traffic, 50))
        namespace.apply(routing_policy("m", arm("main", "m")))
        namespace.wait_ready("rp", "m")
    assert "typo" in ready["message"]
    assert "spec.arms[].modelDeployment" in ready["message"]
    assert traffic.tally.failures == []
    assert set(traffic.tally.arms) == {"main"}


def test_a_second_policy_for_the_same_objective_is_refused_and_the_first_serves_on(namespace, served):
    namespace.apply(routing_policy("second", arm("main", "m"), objective="m"))
    ready = namespace.wait_condition("rp", "second", "Ready", "ObjectiveConflict")
    assert "RoutingPolicy m" in ready["message"]
    assert namespace.condition("rp", "m", "Ready")["status"] == "True"
    namespace.run("delete", "rp", "second")


def test_weights_that_do_not_sum_to_100_are_refused_at_apply(namespace, served):
    said = namespace.refuses(routing_policy("m", arm("main", "m", 50), arm("new", "m", 60)))
    assert "weights sum to 110.00 percent" in said


def test_an_unknown_objective_is_a_problem_document(namespace, gateway, served):
    status, content_type, problem = ask(f"{gateway}/v1/{namespace.name}/nobody/predict")
    assert status == 404
    assert content_type == "application/problem+json"
    assert problem["type"].startswith("https://turnout.dev/problems/")


def test_an_objective_whose_model_is_not_ready_is_503_and_not_unknown(namespace, gateway, served):
    namespace.apply(model_deployment("never", WRONG), routing_policy("never", arm("main", "never")))
    namespace.wait_condition("rp", "never", "Ready", "NoReadyRevision")
    url = f"{gateway}/v1/{namespace.name}/never/predict"
    _, content_type, problem = eventually(lambda: _with_status(ask(url), 503))
    assert content_type == "application/problem+json"
    assert problem["type"].endswith("/no-ready-revision")


def test_deleting_everything_leaves_nothing_behind(namespace, served):
    namespace.run("delete", "rp,md", "--all")

    def gone() -> None:
        for kind in ("deployments", "services", "serviceaccounts", "poddisruptionbudgets", "configmaps", "pods"):
            assert namespace.list(kind, "serving.turnout.dev/revision") == []

    eventually(gone, 60)


def ask(url: str) -> tuple[int, str, dict]:
    """Status, content type and body of one request."""

    async def send() -> tuple[int, str, dict]:
        async with aiohttp.ClientSession() as session, session.post(url, json={"context": {}}) as answer:
            return answer.status, answer.content_type, await answer.json(content_type=None)

    return asyncio.run(send())


def _with_status(answer: tuple[int, str, dict], status: int) -> tuple[int, str, dict]:
    assert answer[0] == status
    return answer


def _more(traffic: Traffic, count: int) -> None:
    assert traffic.tally.total >= count
