"""Every request through the gateway is one row of the prediction log, and the row says who answered and why."""

import asyncio
import json
import uuid

import aiohttp
import pytest
import xxhash
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import arm, model_deployment, routing_policy

REQUESTS = 200


@pytest.fixture(scope="module")
def url(namespace: Namespace, gateway: str, bundles) -> str:
    digest = bundles["echo"][1]
    namespace.apply(
        model_deployment("first", digest),
        model_deployment("second", digest),
        routing_policy("logged", arm("main", "first", 75), arm("other", "second", 25)),
    )
    for kind, name in (("md", "first"), ("md", "second"), ("rp", "logged")):
        namespace.wait_ready(kind, name)
    return f"{gateway}/v1/{namespace.name}/logged/predict"


async def send(url: str, mark: str) -> dict[str, dict]:
    """Requests that succeed, fail and are invalid; what each was answered, by request id."""
    answers = {}
    async with aiohttp.ClientSession() as session:
        for number in range(REQUESTS):
            context = {"raise": "boom"} if number % 50 == 49 else {"score": number / REQUESTS}
            body = {"request_id": f"{mark}-{number}", "entity_id": f"e{number}", "context": context}
            async with session.post(url, json=body, headers={"x-entity-id": f"e{number}"}) as answer:
                answers[body["request_id"]] = {
                    "status": answer.status,
                    "arm": answer.headers["x-turnout-arm"],
                    "revision": answer.headers["x-turnout-revision"],
                    **await answer.json(content_type=None),
                }
    return answers


def rows(namespace: Namespace, mark: str) -> dict[str, dict]:
    found: dict[str, dict] = {}
    for pod in namespace.list("pods", "serving.turnout.dev/revision"):
        text = namespace.run("exec", pod["metadata"]["name"], "--", "turnout", "log", "cat", "/var/log/turnout")
        for line in text.splitlines():
            row = json.loads(line)
            if str(row["request_id"]).startswith(mark):
                assert row["request_id"] not in found, "a request was logged twice"
                found[row["request_id"]] = row
    return found


def test_each_request_is_one_row_that_reconstructs_the_decision(namespace, url):
    mark = uuid.uuid4().hex
    answers = asyncio.run(send(url, mark))

    def all_logged() -> dict[str, dict]:
        found = rows(namespace, mark)
        assert found.keys() == answers.keys()
        return found

    logged = eventually(all_logged, 10)
    version = namespace.get("rp", "logged")["status"]["policyVersion"]
    for request_id, row in logged.items():
        answer = answers[request_id]
        assert row["arm"] == answer["arm"]
        assert row["revision"] == answer["revision"]
        assert row["policy_version"] == version
        assert row["propensity"] == {"main": 0.75, "other": 0.25}[row["arm"]]
        entity = f"{namespace.name}/logged:{row['entity_id']}".encode()
        assert row["cohort"] == xxhash.xxh64_intdigest(entity) % 10_000
        assert row["arm"] == ("other" if row["cohort"] < 2500 else "main")
        assert (row["status"] == "ok") == (answer["status"] == 200)
    failed = [row for row in logged.values() if row["status"] == "error"]
    assert len(failed) == REQUESTS // 50
    assert {row["error_type"] for row in failed} == {"ValueError"}
