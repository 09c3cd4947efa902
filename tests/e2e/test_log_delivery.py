"""The prediction log arrives in an object store and on a volume, each row once, whatever happens to store and pods."""

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.e2e.support.http import post
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.object_store import BUCKET, FOLDER, ObjectStore
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.processes import process_of
from tests.e2e.support.traffic import Traffic
from tests.e2e.support.volumes import claim

SELECTOR = "serving.turnout.dev/model-deployment=m"
LAKE, DISK = f"{FOLDER}/{BUCKET}/flights", "/disk/predictions-of-m"
READ = """
import duckdb, json
try:
    rows = duckdb.sql("SELECT {column} FROM read_parquet('{root}/{what}/**/*.parquet')").fetchall()
except duckdb.IOException:
    rows = []
print(json.dumps([row[0] for row in rows]))
"""


class Served(NamedTuple):
    url: str
    store: ObjectStore


@pytest.fixture(scope="module")
def served(namespace: Namespace, gateway: str, bundles) -> Iterator[Served]:
    """An objective of two pods whose log has two sinks."""
    with claim(namespace, "disk") as disk:
        store = ObjectStore(namespace, claims=[disk])
        disk_sink = {"persistentVolumeClaim": {"claimName": disk}, "path": "predictions-of-m"}
        log = {
            "rotate": {"size": "1Mi", "age": "1s"},
            "sinks": [
                {"name": "lake", "objectStore": store.sink},
                {"name": "disk", "directory": disk_sink},
                {"name": "console", "stdout": {}},
            ],
        }
        namespace.apply(
            model_deployment("m", bundles["echo"][1], replicas=2, predictionLog=log),
            routing_policy("m", arm("main", "m")),
        )
        namespace.wait_ready("md", "m")
        namespace.wait_ready("rp", "m")
        yield Served(f"{gateway}/v1/{namespace.name}/m", store)
        namespace.run("delete", "md", "m", "--cascade=foreground")


def ids(served: Served, root: str, what: str = "predictions", column: str = "prediction_id") -> list[str]:
    """What the rows of a sink say in a column."""
    found: list[str] = json.loads(served.store.python(READ.format(root=root, what=what, column=column)))
    return found


def wait_for(served: Served, root: str, wanted: set[str], seconds: float = 40) -> None:
    """Wait until all of these predictions have arrived; every row is there once."""

    def arrived() -> None:
        found = ids(served, root)
        assert len(found) == len(set(found)), "rows are doubled"
        assert wanted <= set(found), f"{len(wanted - set(found))} of {len(wanted)} rows are missing"

    eventually(arrived, seconds, every=1.0)


def delivering(namespace: Namespace, reason: str, seconds: float = 60) -> dict:
    return namespace.wait_condition("md", "m", "LogDelivering", reason, seconds)


def test_rows_arrive_at_all_sinks_and_the_condition_says_so(namespace, served):
    with Traffic(f"{served.url}/predict") as traffic:
        time.sleep(2)
    assert traffic.tally.failures == []
    for root in (LAKE, DISK):
        wait_for(served, root, set(traffic.tally.predictions))
    printed = namespace.run("logs", "-l", SELECTOR, "-c", "log", "--tail=-1")
    assert [name for name in traffic.tally.predictions if f'"{name}"' not in printed] == []
    assert delivering(namespace, "Delivering")["status"] == "True"
    shown = namespace.run("get", "md", "m", "-o", "wide").splitlines()
    assert "LOG-LAG" in shown[0]
    assert "<2m" in shown[1]


def test_a_store_that_is_down_is_told_of_harms_nobody_and_misses_nothing_when_it_is_back(namespace, served):
    served.store.stop()
    try:
        with Traffic(f"{served.url}/predict") as traffic:
            down = delivering(namespace, "SinkUnavailable")
            time.sleep(1)
    finally:
        served.store.start()
    assert traffic.tally.failures == []
    assert down["status"] == "False"
    assert "sink lake of 2 of 2 pods: unreachable, lag under 2 min" in down["message"]
    assert "disk" not in down["message"]
    assert namespace.condition("md", "m", "Ready")["status"] == "True"
    wait_for(served, DISK, set(traffic.tally.predictions))
    wait_for(served, LAKE, set(traffic.tally.predictions), 60)
    assert delivering(namespace, "Delivering")["status"] == "True"
    events = [(each["type"], each["reason"]) for each in namespace.list("events.events.k8s.io")]
    assert ("Warning", "SinkUnavailable") in events
    assert ("Normal", "Delivering") in events


def test_a_shipper_that_is_killed_doubles_nothing_and_keeps_its_pod_ready(namespace, served):
    pods = [pod["metadata"]["name"] for pod in namespace.list("pods", SELECTOR)]
    with Traffic(f"{served.url}/predict") as traffic:
        for pod in pods:
            time.sleep(0.7)
            os.kill(process_of(pod, "bin/turnout\0log"), signal.SIGKILL)
        time.sleep(1)
    assert traffic.tally.failures == []
    for root in (LAKE, DISK):
        wait_for(served, root, set(traffic.tally.predictions))
    for pod in pods:
        status = namespace.get("pod", pod)["status"]
        assert [each["restartCount"] for each in status["initContainerStatuses"]] == [0]


def test_what_a_killed_runtime_had_flushed_is_recovered(namespace, served):
    pod = namespace.list("pods", SELECTOR)[0]["metadata"]["name"]
    with Traffic(f"{served.url}/predict") as traffic:
        time.sleep(1.5)
        os.kill(process_of(pod, "turnout-runtime"), signal.SIGKILL)
        killed = time.monotonic()
        time.sleep(0.5)
    flushed = {name for name, answered in traffic.tally.predictions.items() if answered < killed - 0.3}
    assert len(flushed) > 100
    for root in (LAKE, DISK):
        wait_for(served, root, flushed)
    namespace.run("wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=30s")
    assert namespace.get("pod", pod)["status"]["containerStatuses"][0]["restartCount"] == 1


def test_pods_that_are_deleted_under_load_deliver_all_that_they_answered(namespace, served):
    with Traffic(f"{served.url}/predict") as traffic:
        time.sleep(1)
        namespace.run("delete", "pod", namespace.list("pods", SELECTOR)[0]["metadata"]["name"])
    assert traffic.tally.failures == []
    for root in (LAKE, DISK):
        wait_for(served, root, set(traffic.tally.predictions))


def test_feedback_through_the_gateway_arrives_beside_the_predictions(served):
    status, answer = post(f"{served.url}/predict", {"context": {}})
    assert status == 200
    told = {"prediction_id": answer["prediction_id"], "label": 1}
    assert post(f"{served.url}/feedback", told) == (202, {"accepted": 1})

    def arrived() -> None:
        for root in (LAKE, DISK):
            assert ids(served, root, "feedback") == [answer["prediction_id"]]

    eventually(arrived, 20, every=1.0)


def test_a_secret_that_is_missing_is_the_sinks_trouble_and_losses_are_told(namespace, served, bundles):
    where = {**served.store.sink, "secretRef": {"name": "missing"}}
    log = {"rotate": {"size": "16Ki", "keep": 2, "age": "1s"}, "sinks": [{"name": "lake", "objectStore": where}]}
    namespace.apply(model_deployment("n", bundles["echo"][1], predictionLog=log), routing_policy("n", arm("main", "n")))
    namespace.wait_ready("md", "n")
    namespace.wait_ready("rp", "n")
    url = f"{served.url.removesuffix('m')}n/predict"
    assert post(url, {"context": {}})[0] == 200
    said = namespace.wait_condition("md", "n", "LogDelivering", "SinkUnavailable", 60)
    assert "sink lake of 1 of 1 pods" in said["message"]
    with Traffic(url) as traffic:
        said = namespace.wait_condition("md", "n", "LogDelivering", "DroppingRecords", 60)
    assert "rows lost in 5 minutes in 1 of 1 pods (disk_bound): the sinks take less than is logged" in said["message"]
    assert "; sink lake of 1 of 1 pods" in said["message"]
    assert traffic.tally.failures == []
    assert namespace.condition("md", "n", "Ready")["status"] == "True"
