"""What a ModelDeployment says about the runtime is what its pods do."""

import json
import uuid

import pytest
from tests.e2e.support.http import ask, get, post
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.traffic import Traffic
from tests.e2e.support.volumes import serve

WEATHER = """
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Weather(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = self.path == "/v1/JFK" and self.headers["authorization"] == "Bearer letmein"
        body = json.dumps({"wind": 7.5, "observed": 1}).encode() if known else b"{}"
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("", 8000), Weather).serve_forever()
"""


@pytest.fixture(scope="module")
def url(namespace: Namespace, gateway: str, bundles) -> str:
    """An objective whose ModelDeployment says a lot."""
    weather = serve(namespace, "weather", ["python3", "-c", WEATHER], 8000)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "weather"},
        "stringData": {"token": "Bearer letmein"},
    }
    header = {"name": "authorization", "secretRef": {"name": "weather", "key": "token"}}
    facts = {
        "weather": {
            "http": {"url": f"http://{weather}/v1/{{key}}", "headers": [header]},
            "timeout": "500ms",
            "fallback": {"wind": 0.0},
            "cache": {"ttl": "1m"},
            "timestampField": "observed",
        },
        "history": {"caller": {}},
    }
    serving = {
        "timeout": "3s",
        "budget": {"facts": "1s", "inference": "1s"},
        "batching": {"strategy": "none"},
        "cache": {"ttl": "5m", "keyFields": ["context.key"]},
        "idempotency": {"window": "1m"},
        "maxBodySize": "2Ki",
    }
    card = {"card": {"segment": "tests"}}
    namespace.apply(
        secret,
        model_deployment("m", bundles["echo"][1], facts=facts, serving=serving, requires=card),
        routing_policy("m", arm("main", "m")),
    )
    namespace.wait_ready("md", "m")
    namespace.wait_ready("rp", "m")
    return f"{gateway}/v1/{namespace.name}/m"


def predict(url: str, **more) -> dict:
    context = {"key": uuid.uuid4().hex, **more.pop("context", {})}
    status, answer = post(f"{url}/predict", {"context": context, **more})
    assert status == 200, answer
    return answer


def row(namespace: Namespace, prediction_id: str) -> dict:
    """The prediction's row of the log."""
    (pod,) = namespace.list("pods", "serving.turnout.dev/model-deployment=m")

    def find() -> dict:
        text = namespace.run("exec", pod["metadata"]["name"], "--", "turnout", "log", "cat", "/var/log/turnout")
        found = [json.loads(line) for line in text.splitlines() if prediction_id in line]
        assert found
        return found[0]

    return eventually(find, 10)


def test_facts_come_from_a_web_service_with_its_secret_and_are_remembered(namespace, url):
    first = row(namespace, predict(url, context={"facts": {"weather": "JFK"}})["prediction_id"])
    assert first["facts"]["weather"]["value"] == {"wind": 7.5, "observed": 1}
    assert first["facts"]["weather"]["source"] == "live"
    assert first["facts"]["weather"]["age_ms"] > 1e9
    second = row(namespace, predict(url, context={"facts": {"weather": "JFK"}})["prediction_id"])
    assert second["facts"]["weather"]["source"] == "cache"
    missing = predict(url, context={"facts": {"weather": "XXX"}})
    assert missing["fallback_used"]
    assert row(namespace, missing["prediction_id"])["facts"]["weather"]["value"] == {"wind": 0.0}


def test_facts_come_with_the_request(namespace, url):
    answer = predict(url, context={"facts": {"history": None}}, feature_refs={"history": {"flights": 3}})
    fact = row(namespace, answer["prediction_id"])["facts"]["history"]
    assert (fact["source"], fact["value"]) == ("caller", {"flights": 3})


def test_answers_are_remembered_by_the_declared_field(namespace, url):
    key = uuid.uuid4().hex
    first = predict(url, context={"key": key, "decision": "first"})
    second = predict(url, context={"key": key, "decision": "second"})
    assert second["decision"] == "first"
    assert row(namespace, first["prediction_id"])["cache"]["status"] != "hit"
    assert row(namespace, second["prediction_id"])["cache"]["status"] == "hit"


def test_a_request_that_is_sent_again_gets_the_first_answer(url):
    request_id, context = uuid.uuid4().hex, {"key": uuid.uuid4().hex}
    first = predict(url, request_id=request_id, context=context)
    assert predict(url, request_id=request_id, context=context) == first
    other = {"request_id": request_id, "context": {"key": "other"}}
    status, problem = post(f"{url}/predict", other)
    assert (status, problem["type"].rsplit("/")[-1]) == (422, "request-id-reused")


def test_a_body_over_the_limit_is_refused(url):
    status, problem = post(f"{url}/predict", {"context": {"key": "x" * 3000}})
    assert (status, problem["type"].rsplit("/")[-1]) == (413, "body-too-large")


def test_what_else_the_pods_serve_is_reached_through_the_gateway(url):
    status, document = get(f"{url}/openapi.json")
    assert status == 200
    assert document["openapi"].startswith("3.")
    assert get(f"{url}/v2/health/ready")[0] == 200
    assert get(f"{url}/v2")[1]["name"]
    request = {"name": "request", "datatype": "BYTES", "shape": [1], "data": ['{"context": {"decision": "by tensor"}}']}
    status, answer = ask("POST", f"{url}/v2/models/m/infer", json={"inputs": [request]})
    assert status == 200, answer
    assert "by tensor" in json.dumps(answer["outputs"])
    assert get(f"{url}/nothing")[0] == 404


def test_a_bundle_that_is_not_the_required_one_is_refused_and_the_one_before_serves_on(namespace, url, bundles):
    before = namespace.get("md", "m")
    revision = before["status"]["latestReadyRevision"]
    with Traffic(f"{url}/predict", clients=2) as traffic:
        namespace.patch("md", "m", {"spec": {"requires": {"card": {"dataset": "flights-2013"}}}})
        verified = namespace.wait_condition("md", "m", "BundleVerified", "CardMismatch", 90)
        namespace.patch("md", "m", {"spec": {"requires": {"card": {"dataset": None}}}})
        namespace.wait_ready("md", "m")
    assert "dataset is 'none', required is 'flights-2013'" in verified["message"]
    assert traffic.tally.failures == []
    assert set(traffic.tally.revisions) == {revision}
