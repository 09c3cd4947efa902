"""Mode batch: the same workflow over a table as an Indexed Job, its progress in the status, and its schedule."""

import json
from collections.abc import Iterator

import pytest
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import model_deployment
from tests.e2e.support.volumes import claim, python

ROWS = 1000
LABEL = "serving.turnout.dev/model-deployment"
WRITE = f"""
with open("/data/in.csv", "w") as out:
    print("decision,score,id", file=out)
    for number in range({ROWS}):
        print(f"d{{number}},{{number / {ROWS}}},row-{{number}}", file=out)
"""
READ = """
import duckdb, json
rows = duckdb.sql("SELECT request_id, decision, score, status FROM '/data/out/*.parquet' ORDER BY score").fetchall()
print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def data(namespace: Namespace) -> Iterator[str]:
    """A claim with the table in.csv."""
    with claim(namespace, "data") as name:
        python(namespace, "write", WRITE, claims=[name])
        yield name


def batch(name: str, digest: str, batch: dict | None = None, **spec):
    given = {"input": "pvc://data/in.csv", "output": "pvc://data/out/", "columns": {"requestId": "id"}, **(batch or {})}
    return model_deployment(name, digest, mode="batch", batch=given, **spec)


def jobs(namespace: Namespace, name: str) -> list[str]:
    return [job["metadata"]["name"] for job in namespace.list("jobs", f"{LABEL}={name}")]


def test_a_table_is_scored_by_all_shards_and_only_once(namespace, data, bundles):
    wanted = batch("scores", bundles["echo"][1], {"shards": 4, "parallelism": 2, "processes": 1, "rowsPerPart": 100})
    namespace.apply(wanted)
    status = namespace.wait_ready("md", "scores", 180)["status"]
    run, revision = status["batch"], status["latestRevision"]
    assert (run["phase"], run["total"], run["succeeded"], run["progress"]) == ("Succeeded", 4, 4, "4/4")
    assert run["startTime"] <= run["completionTime"]
    (job,) = namespace.list("jobs", f"{LABEL}=scores")
    assert (job["metadata"]["name"], job["spec"]["completionMode"]) == (revision, "Indexed")
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (4, 2)
    rows = json.loads(python(namespace, "read", READ, claims=[data]))
    assert rows == [[f"row-{n}", f"d{n}", n / ROWS, "ok"] for n in range(ROWS)]
    assert namespace.list("deployments", f"{LABEL}=scores") == []

    namespace.run("delete", "job", revision)
    namespace.apply({**wanted, "metadata": {"name": "scores", "labels": {"seen": "again"}}})
    namespace.run("wait", "md/scores", "--for=condition=Ready", "--timeout=10s")
    assert jobs(namespace, "scores") == []

    again = {**wanted, "spec": {**wanted["spec"], "batch": {**wanted["spec"]["batch"], "run": "2"}}}
    namespace.apply(again)

    def second() -> None:
        status = namespace.get("md", "scores")["status"]
        assert status["latestRevision"] != revision
        assert status["batch"]["phase"] == "Succeeded"
        assert jobs(namespace, "scores") == [status["latestRevision"]]

    eventually(second, 120)


def test_a_failed_index_says_why_in_the_condition(namespace, data, bundles):
    namespace.apply(batch("missing", bundles["echo"][1], {"input": "pvc://data/nothing.csv", "retries": 0}))
    ready = namespace.wait_condition("md", "missing", "Ready", "BatchInvalid", 90)
    assert ready["message"].startswith("index 0: ")
    assert "nothing.csv" in ready["message"]

    def failed() -> dict:
        status = namespace.get("md", "missing")["status"]
        assert status["batch"]["phase"] == "Failed"
        return status

    status = eventually(failed, 60)
    assert status["batch"]["failed"] == 1
    assert status["lastFailure"]["reason"] == "BatchInvalid"


def test_a_bundle_that_is_not_the_required_one_fails_the_run(namespace, data, bundles):
    requires = {"card": {"segment": "us"}}
    namespace.apply(batch("card", bundles["echo"][1], {"retries": 0}, requires=requires))
    namespace.wait_condition("md", "card", "BundleVerified", "CardMismatch", 90)


def test_a_schedule_makes_a_cron_job_whose_runs_are_told(namespace, data, bundles):
    given = {"schedule": "0 3 1 1 *", "timeZone": "Europe/Berlin", "output": "pvc://data/nightly.csv"}
    namespace.apply(batch("nightly", bundles["echo"][1], given))
    status = namespace.wait_ready("md", "nightly")["status"]
    assert status["batch"]["phase"] == "Waiting"
    (cron,) = namespace.list("cronjobs", f"{LABEL}=nightly")
    assert (cron["spec"]["schedule"], cron["spec"]["timeZone"]) == ("0 3 1 1 *", "Europe/Berlin")
    assert jobs(namespace, "nightly") == []

    namespace.run("create", "job", "now", f"--from=cronjob/{cron['metadata']['name']}")

    def told() -> None:
        run = namespace.get("md", "nightly")["status"]["batch"]
        assert (run.get("job"), run["phase"]) == ("now", "Succeeded")

    eventually(told, 120)
    count = "print(sum(1 for _ in open('/data/nightly.csv')))"
    assert python(namespace, "count", count, claims=[data]).strip() == str(ROWS + 1)

    namespace.apply(batch("nightly", bundles["echo"][1], {**given, "schedule": "0 4 1 1 *"}))

    def replaced() -> None:
        assert [each["spec"]["schedule"] for each in namespace.list("cronjobs", f"{LABEL}=nightly")] == ["0 4 1 1 *"]

    eventually(replaced, 30)


def test_deleting_it_leaves_no_job_behind(namespace, data, bundles):
    namespace.apply(batch("gone", bundles["echo"][1], {"output": "pvc://data/gone.csv"}))
    eventually(lambda: _some(jobs(namespace, "gone")), 30)
    namespace.run("delete", "md", "gone")

    def gone() -> None:
        for kind in ("jobs", "pods", "configmaps", "serviceaccounts"):
            assert namespace.list(kind, f"{LABEL}=gone") == []

    eventually(gone, 60)


def _some(found: list[str]) -> None:
    assert found
