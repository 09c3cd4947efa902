"""A canary by hand: weights move while traffic runs, and nothing fails."""

import itertools
import os
import signal
import statistics
import time

import pytest
import xxhash
from demo.shell import kubectl
from demo.system import SYSTEM
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.processes import process_of
from tests.e2e.support.traffic import Traffic

CHANGES = 50


@pytest.fixture(scope="module")
def url(namespace: Namespace, gateway: str, bundles) -> str:
    """An objective with two arms, 90 to 10."""
    digest = bundles["echo"][1]
    namespace.apply(
        model_deployment("champion", digest, replicas=2),
        model_deployment("challenger", digest, serving={"concurrency": 9}),
        routing_policy("echo", arm("main", "champion"), arm("challenger", "challenger", 10)),
    )
    for name in ("champion", "challenger"):
        namespace.wait_ready("md", name)
    namespace.wait_ready("rp", "echo")
    return f"{gateway}/v1/{namespace.name}/echo/predict"


def observed(namespace: Namespace) -> dict[str, float]:
    arms = namespace.get("rp", "echo")["status"]["arms"]
    return {each["name"]: each.get("observedWeight") for each in arms}


def set_weight(namespace: Namespace, weight: float) -> None:
    arms = [arm("main", "champion"), arm("challenger", "challenger", weight)]
    namespace.patch("rp", "echo", {"spec": {"arms": arms}})


def wait_observed(namespace: Namespace, weight: float) -> None:
    def check() -> None:
        assert observed(namespace)["challenger"] == weight

    eventually(check, 20, every=0.05)


def test_every_entity_is_on_the_arm_that_its_hash_says(namespace, url):
    set_weight(namespace, 30)
    wait_observed(namespace, 30)
    with Traffic(url, clients=8, entities=400, pause=0) as traffic:
        eventually(lambda: _at_least(traffic, 1200), 60)
    objective = f"{namespace.name}/echo"
    expected = {
        entity: "challenger" if cohort(objective, entity) < 3000 else "main" for entity in traffic.tally.entities
    }
    assert traffic.tally.failures == []
    assert len(expected) == 400
    assert traffic.tally.entities == expected


def test_fifty_weight_changes_under_load_are_observed_within_a_second_and_fail_nothing(namespace, url):
    weights = itertools.cycle([10, 25, 50, 75, 40])
    seconds = []
    with Traffic(url) as traffic:
        for _ in range(CHANGES):
            started = time.monotonic()
            weight = next(weights)
            set_weight(namespace, weight)
            kubectl(
                "-n",
                namespace.name,
                "wait",
                "rp/echo",
                "--timeout=10s",
                f"--for=jsonpath={{.status.arms[?(@.name=='challenger')].observedWeight}}={weight}",
            )
            seconds.append(time.monotonic() - started)
    assert traffic.tally.failures == []
    assert traffic.tally.total > CHANGES
    p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98]
    print(
        f"\n{CHANGES} changes: p50 {statistics.median(seconds):.3f} s, p99 {p99:.3f} s (kubectl included), "
        f"{traffic.tally.total} requests, 0 failed"
    )
    assert p99 <= 1.0


def test_a_new_revision_takes_over_without_a_failed_request_and_the_old_one_is_retired(namespace, url):
    before = namespace.get("md", "champion")["status"]["latestReadyRevision"]
    with Traffic(url) as traffic:
        namespace.patch("md", "champion", {"spec": {"serving": {"concurrency": 5}}})

        def moved() -> str:
            status = namespace.get("md", "champion")["status"]
            assert status["latestReadyRevision"] != before
            phases = {r["name"]: r["phase"] for r in status["revisions"]}
            assert phases[before] == "Retired"
            return str(status["latestReadyRevision"])

        after = eventually(moved, 60)
        eventually(lambda: _no_pods(namespace, before), 60)
        traffic_before = traffic.reset()
        time.sleep(2)
    assert traffic_before.failures + traffic.tally.failures == []
    assert before in traffic_before.revisions
    assert before not in traffic.tally.revisions
    assert after in traffic.tally.revisions


def test_the_leader_killed_by_sigkill_during_a_weight_change_costs_no_request_and_the_change_arrives(namespace, url):
    set_weight(namespace, 20)
    wait_observed(namespace, 20)
    with Traffic(url) as traffic:
        leader = leader_pod()
        os.kill(process_of(leader, "turnout-operator"), signal.SIGKILL)
        set_weight(namespace, 60)
        started = time.monotonic()
        wait_observed(namespace, 60)
        took = time.monotonic() - started
        time.sleep(2)
    print(f"\nobserved {took:.1f} s after the leader was killed, {traffic.tally.total} requests")
    assert traffic.tally.failures == []
    assert took <= 18


def test_callers_cannot_choose_their_arm(namespace, url):
    import asyncio

    import aiohttp

    async def ask() -> str:
        async with aiohttp.ClientSession() as session:
            headers = {"x-turnout-arm": "challenger", "x-entity-id": "e1", "x-turnout-shadow": "true"}
            async with session.post(url, json={"context": {}}, headers=headers) as answer:
                return answer.headers["x-turnout-arm"]

    weight = observed(namespace)["challenger"] * 100
    expected = "challenger" if cohort(f"{namespace.name}/echo", "e1") < weight else "main"
    assert asyncio.run(ask()) == expected


def cohort(objective: str, entity: str) -> int:
    return xxhash.xxh64_intdigest(f"{objective}:{entity}".encode()) % 10_000


def leader_pod() -> str:
    return kubectl("-n", SYSTEM, "get", "lease", "turnout-operator", "-o", "jsonpath={.spec.holderIdentity}")


def _at_least(traffic: Traffic, count: int) -> None:
    assert traffic.tally.total >= count


def _no_pods(namespace: Namespace, revision: str) -> None:
    assert namespace.list("pods", f"serving.turnout.dev/revision={revision}") == []
