"""Mode batch: one run for each revision, none beside it, and a status that tells how far it is."""

import json

import pytest
from tests.unit.plan.builders import LATER, NOW, batch_deployment, index_pod, job, pod

from turnout_operator.plan.batch_run import indexes
from turnout_operator.plan.conditions import find
from turnout_operator.plan.decision import Observed, Obsolete
from turnout_operator.plan.model_deployment import decide
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import config_map

SETTINGS = PlanSettings(runtime_image="runtime:1")


def name_of(md) -> str:
    return Revision.wanted(md, SETTINGS).name


def stored(md):
    revision = Revision.wanted(md, SETTINGS)
    meta = {"namespace": "ns", "name": revision.name, "labels": revision.labels, "creationTimestamp": NOW}
    return {revision.name: {**config_map(revision, SETTINGS), "metadata": meta}}


def kinds(decision) -> list[str]:
    return [manifest["kind"] for manifest in decision.manifests]


def ready(decision) -> tuple[str, str]:
    condition = find(decision.status["conditions"], "Ready")
    return condition["status"], condition["reason"]


def seen(md, *jobs, pods=(), **more) -> Observed:
    name = name_of(md)
    return Observed(config_maps=stored(md), jobs={name: jobs} if jobs else {}, pods={name: pods}, **more)


def look(md, *jobs, pods=(), now=NOW):
    return decide(md, seen(md, *jobs, pods=pods), SETTINGS, now)


def said(reason: str, message: str = "do this"):
    return {"exitCode": 1, "message": json.dumps({"reason": reason, "message": message})}


def test_a_new_batch_gets_its_record_an_identity_and_a_job():
    decision = decide(batch_deployment(), Observed(), SETTINGS, NOW)
    assert kinds(decision) == ["ConfigMap", "ServiceAccount", "Job"]
    assert ready(decision)[0] == "False"
    assert decision.status["batch"]["phase"] == "Pending"
    assert "latestReadyRevision" not in decision.status


def test_a_job_that_exists_is_never_written_again():
    md = batch_deployment()
    assert kinds(look(md, job(name_of(md), active=1))) == ["ServiceAccount"]


def test_progress_is_told_in_indexes():
    md = batch_deployment(shards=4)
    decision = look(md, job(name_of(md), 4, done="0,2", active=1))
    told = decision.status["batch"]
    assert (told["phase"], told["total"], told["succeeded"], told["active"]) == ("Running", 4, 2, 1)
    assert (told["progress"], told["startTime"]) == ("2/4", NOW)
    assert ready(decision) == ("False", "Running")
    assert find(decision.status["conditions"], "BundleVerified")["status"] == "True"


def test_a_run_that_succeeded_is_ready():
    md = batch_deployment()
    decision = look(md, job(name_of(md), done="0", over="Complete"))
    assert ready(decision) == ("True", "Succeeded")
    assert decision.status["batch"]["completionTime"] == LATER
    assert decision.status["revisions"][0]["phase"] == "Ready"
    assert {find(decision.status["conditions"], kind)["status"] for kind in ("Scheduled", "BundleVerified")} == {"True"}


@pytest.mark.parametrize("over", ["Complete", "Failed"])
def test_a_run_that_is_over_is_not_run_again_when_its_job_is_cleaned_up(over):
    md = batch_deployment()
    done = look(md, job(name_of(md), done="0" if over == "Complete" else "", over=over))
    later = batch_deployment(status=done.status)
    again = look(later, now=LATER)
    assert kinds(again) == ["ServiceAccount"]
    assert again.status == done.status


def test_a_job_that_was_deleted_before_it_was_done_is_made_again():
    md = batch_deployment()
    running = look(md, job(name_of(md), active=1))
    assert "Job" in kinds(look(batch_deployment(status=running.status)))


def test_a_finished_run_does_not_stop_the_run_of_another_spec():
    md = batch_deployment()
    done = look(md, job(name_of(md), done="0", over="Complete"))
    changed = batch_deployment(status=done.status, run="again")
    decision = decide(changed, seen(md, job(name_of(md), done="0", over="Complete")), SETTINGS, LATER)
    assert name_of(changed) != name_of(md)
    assert kinds(decision) == ["ConfigMap", "ServiceAccount", "Job"]
    assert decision.obsolete == (Obsolete("Job", name_of(md)),)
    assert decision.status["batch"]["phase"] == "Pending"


def test_a_superseded_run_ends_before_the_next_one_begins():
    old, new = batch_deployment(), batch_deployment(run="again")
    live = index_pod(name_of(old), 0)
    live["status"]["containerStatuses"][0]["state"] = {"running": {}}
    observed = Observed(config_maps=stored(old) | stored(new), pods={name_of(old): [live]})
    waiting = decide(new, observed, SETTINGS, NOW)
    assert "Job" not in kinds(waiting)
    assert name_of(old) in find(waiting.status["conditions"], "WorkloadReady")["message"]
    live["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 143}}
    assert "Job" in kinds(decide(new, observed, SETTINGS, NOW))


def test_a_failed_index_says_its_own_last_words_while_others_run():
    md = batch_deployment(shards=3)
    pods = [
        index_pod(name_of(md), 0, terminated=said("BatchInvalid", "an old word of an index that is done")),
        index_pod(name_of(md), 2, terminated=said("BatchInvalid", "no column carrier")),
    ]
    decision = look(md, job(name_of(md), 3, done="0", active=1), pods=pods)
    condition = find(decision.status["conditions"], "WorkloadReady")
    assert (condition["status"], condition["reason"]) == ("False", "BatchInvalid")
    assert condition["message"] == "index 2: no column carrier"
    assert decision.status["lastFailure"]["reason"] == "BatchInvalid"
    assert decision.status["batch"]["phase"] == "Running"


def test_the_newest_pod_of_an_index_counts():
    md = batch_deployment()
    pods = [
        index_pod(name_of(md), 0, NOW, terminated=said("BatchFailed", "first try")),
        index_pod(name_of(md), 0, LATER, terminated=said("BatchFailed", "second try")),
    ]
    decision = look(md, job(name_of(md), failed="0", over="Failed", reason="FailedIndexes"), pods=pods)
    assert find(decision.status["conditions"], "Ready")["message"] == "index 0: second try"
    assert decision.status["batch"]["failed"] == 1
    assert decision.status["revisions"][0]["phase"] == "Failed"


def test_a_refused_bundle_is_the_bundles_condition():
    md = batch_deployment()
    pods = [index_pod(name_of(md), 0, terminated=said("CardMismatch"))]
    decision = look(md, job(name_of(md), active=1), pods=pods)
    assert find(decision.status["conditions"], "BundleVerified")["reason"] == "CardMismatch"


def test_a_failed_run_keeps_its_reason_when_its_pods_are_gone():
    md = batch_deployment()
    failed = job(name_of(md), failed="0", over="Failed", reason="FailedIndexes")
    pods = [index_pod(name_of(md), 0, terminated=said("BatchInvalid", "no column"))]
    first = look(md, failed, pods=pods)
    again = look(batch_deployment(status=first.status))
    assert find(again.status["conditions"], "Ready")["message"] == "index 0: no column"


def test_a_late_run_names_the_deadline():
    md = batch_deployment(deadline="1h")
    decision = look(md, job(name_of(md), over="Failed", reason="DeadlineExceeded"))
    assert ready(decision) == ("False", "DeadlineExceeded")
    assert "spec.batch.deadline" in find(decision.status["conditions"], "Ready")["message"]


def test_a_pod_without_a_node_is_told():
    md = batch_deployment()
    found = index_pod(name_of(md), 0, unschedulable="0/1 nodes: 1 Insufficient memory.")
    assert ready(look(md, job(name_of(md), active=1), pods=[found])) == ("False", "Unschedulable")


def scheduled(md, *jobs, pods=(), **status):
    cron = {name_of(md): {"metadata": {"name": name_of(md)}, "status": status}}
    return decide(md, seen(md, *jobs, pods=pods, cron_jobs=cron), SETTINGS, NOW)


def test_a_schedule_that_waits_or_runs_is_ready():
    md = batch_deployment(schedule="@daily")
    waiting = scheduled(md)
    assert kinds(waiting) == ["ServiceAccount", "CronJob"]
    assert ready(waiting) == ("True", "WaitingForSchedule")
    running = scheduled(md, job(f"{name_of(md)}-1", active=1), lastScheduleTime=NOW)
    assert ready(running) == ("True", "Running")
    assert running.status["batch"]["lastScheduleTime"] == NOW
    later = scheduled(md, job(f"{name_of(md)}-2", 1, done="0", over="Complete"), lastSuccessfulTime=LATER)
    assert ready(later) == ("True", "Succeeded")
    assert later.status["batch"]["lastSuccessfulTime"] == LATER


def test_of_the_runs_of_a_schedule_the_newest_counts():
    md = batch_deployment(schedule="@daily")
    old = job(f"{name_of(md)}-1", done="0", over="Complete")
    new = job(f"{name_of(md)}-2", failed="0", over="Failed", reason="FailedIndexes")
    new["metadata"]["creationTimestamp"] = LATER
    pods = [index_pod(f"{name_of(md)}-2", 0, terminated=said("BatchInvalid", "no column"))]
    decision = scheduled(md, old, new, pods=pods)
    assert decision.status["batch"]["job"] == f"{name_of(md)}-2"
    assert ready(decision) == ("False", "BatchInvalid")


def test_the_cron_job_of_another_spec_goes():
    old, new = batch_deployment(schedule="@daily"), batch_deployment(schedule="@hourly")
    run = job(f"{name_of(old)}-1", done="0", over="Complete")
    observed = Observed(
        config_maps=stored(old) | stored(new),
        cron_jobs={name_of(old): {"metadata": {"name": name_of(old)}}},
        jobs={name_of(old): [run]},
    )
    assert decide(new, observed, SETTINGS, NOW).obsolete == (Obsolete("CronJob", name_of(old)),)


def test_deciding_again_on_the_same_facts_changes_nothing():
    md = batch_deployment(shards=2)
    first = look(md, job(name_of(md), 2, done="0", active=1))
    again = look(batch_deployment(status=first.status, shards=2), job(name_of(md), 2, done="0", active=1), now=LATER)
    assert again == first


def test_only_the_newest_records_are_kept():
    md = batch_deployment()
    others = [batch_deployment(run=str(number)) for number in range(7)]
    records = {name: cm for each in [md, *others] for name, cm in stored(each).items()}
    assert len(decide(md, Observed(config_maps=records), SETTINGS, NOW).pruned) == 2


def test_a_pod_without_an_index_is_no_index():
    md = batch_deployment()
    strange = pod(terminated={"exitCode": 3})
    strange["metadata"]["labels"] = {"batch.kubernetes.io/job-name": name_of(md)}
    decision = look(md, job(name_of(md), active=1), pods=[strange])
    assert find(decision.status["conditions"], "Ready")["message"].startswith("index ?: exit code 3")


@pytest.mark.parametrize(("text", "found"), [("", []), ("3", [3]), ("0,2-4,9", [0, 2, 3, 4, 9])])
def test_lists_of_indexes(text, found):
    assert list(indexes(text)) == found
