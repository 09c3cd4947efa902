"""GatewayOnly: pods answer the gateways, and nobody else in the cluster."""

import pytest
from tests.e2e.support.http import get, post
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.traffic import Traffic
from tests.e2e.support.volumes import python

BODY = {"context": {"decision": "it works"}}
KNOCK = """
import ssl, urllib.request
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for url in ("http://{host}:8080/v1/{namespace}/m/predict", "https://{host}:8080/v1/{namespace}/m/predict"):
    request = urllib.request.Request(url, data=b'{{"context": {{}}}}', method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5, context=context if url.startswith("https") else None) as answer:
            print("answered", answer.status)
    except urllib.error.HTTPError as error:
        print("answered", error.code)
    except OSError as error:
        print("refused")
"""


@pytest.fixture(scope="module")
def url(namespace: Namespace, gateway: str, bundles) -> str:
    """An objective of one pod that everybody may call, to begin with."""
    namespace.apply(model_deployment("m", bundles["echo"][1]), routing_policy("m", arm("main", "m")))
    namespace.wait_ready("md", "m")
    namespace.wait_ready("rp", "m")
    return f"{gateway}/v1/{namespace.name}/m"


def knock(namespace: Namespace, name: str) -> list[str]:
    """What somebody in the cluster gets from the serving pod, asked by HTTP and by HTTPS."""
    revision = namespace.get("md", "m")["status"]["latestReadyRevision"]
    (pod,) = namespace.list("pods", f"serving.turnout.dev/revision={revision}")
    return python(namespace, name, KNOCK.format(host=pod["status"]["podIP"], namespace=namespace.name)).splitlines()


def test_pods_that_become_guarded_answer_the_gateways_only_and_nothing_fails_meanwhile(namespace, url, bundles):
    assert knock(namespace, "before")[0] == "answered 200"
    old = namespace.get("md", "m")["status"]["latestReadyRevision"]
    with Traffic(f"{url}/predict") as traffic:
        namespace.apply(model_deployment("m", bundles["echo"][1], serving={"access": "GatewayOnly"}))

        def moved() -> None:
            assert namespace.get("md", "m")["status"]["latestReadyRevision"] != old
            assert set(traffic.tally.revisions) > {old}

        eventually(moved, 90)
        eventually(lambda: _only(namespace, traffic), 60)
    assert traffic.tally.failures == []
    status, answer = post(f"{url}/predict", BODY)
    assert (status, answer["decision"]) == (200, "it works")
    assert get(f"{url}/openapi.json")[0] == 200
    assert knock(namespace, "after") == ["refused", "refused"]


def test_the_pods_know_the_authority_and_not_its_key(namespace, url):
    trusted = namespace.get("configmap", "m-turnout-gateway-ca")["data"]
    assert trusted.keys() == {"ca.crt"}
    assert trusted["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in trusted["ca.crt"]


def _only(namespace: Namespace, traffic: Traffic) -> None:
    """Only the guarded revision answers any more."""
    ready = namespace.get("md", "m")["status"]["latestReadyRevision"]
    traffic.tally.revisions.clear()
    eventually(lambda: _answers(traffic), 10)
    assert set(traffic.tally.revisions) == {ready}


def _answers(traffic: Traffic) -> None:
    assert sum(traffic.tally.revisions.values()) > 20
