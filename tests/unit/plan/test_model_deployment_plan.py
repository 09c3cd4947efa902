import json

import pytest
from tests.unit.plan.builders import DIGEST, LATER, NOW, deployment, model_deployment, pod

from turnout_operator.plan.conditions import find
from turnout_operator.plan.decision import Observed, Obsolete
from turnout_operator.plan.model_deployment import decide
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import config_map

SETTINGS = PlanSettings(runtime_image="runtime:1")


def spec(n: int):
    return {"serving": {"concurrency": n}}


def name_of(n: int) -> str:
    return Revision.wanted(model_deployment(**spec(n)), SETTINGS).name


def stored(n: int):
    revision = Revision.wanted(model_deployment(**spec(n)), SETTINGS)
    live = config_map(revision, SETTINGS)
    live["metadata"] = {
        "namespace": "ns",
        "name": revision.name,
        "labels": revision.labels,
        "creationTimestamp": f"2026-01-01T00:00:{n:02}Z",
    }
    return live


def observed(*stored_revisions: int, ready=(), pods=None, referenced=(), replicas=1) -> Observed:
    return Observed(
        config_maps={name_of(n): stored(n) for n in stored_revisions},
        deployments={
            name_of(n): deployment(name_of(n), replicas if n in ready else 0, replicas) for n in stored_revisions
        },
        pods={name_of(n): found for n, found in (pods or {}).items()},
        referenced=frozenset(name_of(n) for n in referenced),
    )


def replicas(decision) -> dict[str, int]:
    return {m["metadata"]["name"]: m["spec"]["replicas"] for m in decision.manifests if m["kind"] == "Deployment"}


def condition(decision, kind: str):
    return find(decision.status["conditions"], kind)


def test_a_new_deployment_gets_all_five_objects_of_one_revision():
    decision = decide(model_deployment(), Observed(), SETTINGS, NOW)
    kinds = [manifest["kind"] for manifest in decision.manifests]
    assert kinds == ["ConfigMap", "ServiceAccount", "Service", "PodDisruptionBudget", "Deployment"]
    assert condition(decision, "Ready")["status"] == "False"
    assert "latestReadyRevision" not in decision.status


def test_the_old_revision_serves_until_the_new_one_is_ready():
    md = model_deployment(status={"latestReadyRevision": name_of(1)}, **spec(2))
    decision = decide(md, observed(1, 2, ready=[1]), SETTINGS, NOW)
    assert decision.status["latestReadyRevision"] == name_of(1)
    assert replicas(decision) == {name_of(1): 1, name_of(2): 1}
    assert f"{name_of(1)} keeps serving" in condition(decision, "Ready")["message"]


def test_the_pointer_moves_when_the_new_one_is_ready_and_the_old_one_stays_while_traffic_reaches_it():
    md = model_deployment(status={"latestReadyRevision": name_of(1)}, **spec(2))
    moved = decide(md, observed(1, 2, ready=[1, 2], referenced=[1]), SETTINGS, NOW)
    assert moved.status["latestReadyRevision"] == name_of(2)
    assert replicas(moved) == {name_of(1): 1, name_of(2): 1}
    settled = model_deployment(status={"latestReadyRevision": name_of(2)}, **spec(2))
    left = decide(settled, observed(1, 2, ready=[1, 2]), SETTINGS, NOW)
    assert replicas(left) == {name_of(1): 0, name_of(2): 1}


def test_the_old_revision_outlives_the_pass_that_moves_the_pointer():
    md = model_deployment(status={"latestReadyRevision": name_of(1)}, **spec(2))
    assert replicas(decide(md, observed(1, 2, ready=[1, 2]), SETTINGS, NOW))[name_of(1)] == 1


def test_a_deployment_without_a_revision_is_removed_unless_it_serves():
    seen = observed(1, 2, 3, ready=[1, 2, 3])
    del seen.config_maps[name_of(1)], seen.config_maps[name_of(2)]
    md = model_deployment(status={"latestReadyRevision": name_of(2)}, **spec(3))
    assert decide(md, seen, SETTINGS, NOW).pruned == (name_of(1),)


def test_readiness_of_an_older_rollout_does_not_count():
    stale = observed(1, 2, ready=[1, 2])
    stale.deployments[name_of(2)]["metadata"]["generation"] = 2
    md = model_deployment(status={"latestReadyRevision": name_of(1)}, **spec(2))
    assert decide(md, stale, SETTINGS, NOW).status["latestReadyRevision"] == name_of(1)


def test_the_first_revision_serves_as_soon_as_one_pod_is_ready():
    one_of_two = Observed(config_maps={name_of(1): stored(1)}, deployments={name_of(1): deployment(name_of(1), 1, 2)})
    decision = decide(model_deployment(replicas=2, **spec(1)), one_of_two, SETTINGS, NOW)
    assert decision.status["latestReadyRevision"] == name_of(1)
    assert condition(decision, "Ready")["status"] == "False"


def test_a_revision_scaled_to_zero_is_not_ready_when_it_comes_back():
    md = model_deployment(status={"latestReadyRevision": name_of(2)}, **spec(1))
    back = observed(1, 2, ready=[2])
    back.deployments[name_of(1)] = deployment(name_of(1), 0, 0)
    decision = decide(md, back, SETTINGS, NOW)
    assert decision.status["latestReadyRevision"] == name_of(2)
    assert replicas(decision)[name_of(1)] == 1


def test_the_pointer_survives_a_lost_status():
    decision = decide(model_deployment(**spec(2)), observed(1, 2, ready=[1]), SETTINGS, NOW)
    assert decision.status["latestReadyRevision"] == name_of(1)


def test_only_the_newest_retired_revisions_are_kept():
    md = model_deployment(revisionHistory=2, status={"latestReadyRevision": name_of(9)}, **spec(9))
    decision = decide(md, observed(1, 2, 3, 4, 9, ready=[9], referenced=[1]), SETTINGS, NOW)
    assert decision.pruned == (name_of(2),)
    assert {n for n, count in replicas(decision).items() if count} == {name_of(1), name_of(9)}


def test_a_config_map_that_exists_is_never_written_again():
    decision = decide(model_deployment(**spec(1)), observed(1, ready=[1]), SETTINGS, NOW)
    assert "ConfigMap" not in [manifest["kind"] for manifest in decision.manifests]


def test_a_revision_that_this_version_cannot_read_is_left_alone():
    seen = observed(1, 2, ready=[2])
    seen.config_maps[name_of(1)]["data"]["spec.json"] = '{"fieldOfTheFuture": 1}'
    decision = decide(model_deployment(revisionHistory=1, **spec(2)), seen, SETTINGS, NOW)
    assert decision.pruned == ()
    assert set(replicas(decision)) == {name_of(2)}


def test_a_revision_stored_with_a_field_of_the_future_is_still_read():
    seen = observed(1, 2, ready=[1, 2])
    data = seen.config_maps[name_of(1)]["data"]
    data["spec.json"] = json.dumps({**json.loads(data["spec.json"]), "fieldOfTheFuture": 1})
    md = model_deployment(status={"latestReadyRevision": name_of(2)}, **spec(2))
    assert replicas(decide(md, seen, SETTINGS, NOW))[name_of(1)] == 0


@pytest.mark.parametrize(
    "reason",
    [
        "DigestMismatch",
        "BundleNotFound",
        "BundleInvalid",
        "RequirementsNotMet",
        "CardMismatch",
        "SchemaMismatch",
        "GoldenExamplesFailed",
    ],
)
def test_what_the_runtime_says_of_its_bundle_is_the_condition(reason):
    said = {"exitCode": 1, "message": json.dumps({"reason": reason, "message": "do this"})}
    md = model_deployment(status={"latestReadyRevision": name_of(1)}, **spec(2))
    decision = decide(md, observed(1, 2, ready=[1], pods={2: [pod(terminated=said)]}), SETTINGS, NOW)
    assert condition(decision, "BundleVerified")["status"] == "False"
    assert condition(decision, "Ready")["reason"] == reason
    assert "do this" in condition(decision, "Ready")["message"]
    assert decision.status["lastFailure"]["revision"] == name_of(2)
    assert decision.status["latestReadyRevision"] == name_of(1)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (pod(unschedulable="0/1 nodes: 1 Insufficient nvidia.com/gpu."), "InsufficientGPU"),
        (pod(unschedulable="0/1 nodes: 1 Insufficient memory."), "Unschedulable"),
        (pod(waiting={"reason": "ImagePullBackOff", "message": "no such image"}), "ImagePullFailed"),
        (pod(terminated={"exitCode": 137, "reason": "OOMKilled"}), "OutOfMemory"),
        (pod(terminated={"exitCode": 3}), "CrashLoop"),
        (pod(terminated={"exitCode": 1, "message": '{"reason": "Made-up", "message": "x"}'}), "CrashLoop"),
        (
            pod(terminated={"exitCode": 1, "message": '{"reason": "WorkflowImportError", "message": "x"}'}),
            "WorkflowImportError",
        ),
    ],
)
def test_every_failure_has_a_reason(found, reason):
    md = model_deployment(resources={"gpu": {"count": 3}})
    name = Revision.wanted(md, SETTINGS).name
    decision = decide(md, Observed(pods={name: [found]}), SETTINGS, NOW)
    assert condition(decision, "Ready")["reason"] == reason
    assert condition(decision, "Ready")["message"]


def test_a_missing_claim_is_a_missing_bundle():
    md = model_deployment(bundle={"uri": "pvc://models/a", "digest": DIGEST})
    message = 'persistentvolumeclaim "models" not found'
    found = {Revision.wanted(md, SETTINGS).name: [pod(unschedulable=message)]}
    decision = decide(md, Observed(pods=found), SETTINGS, NOW)
    assert condition(decision, "BundleVerified")["reason"] == "BundleNotFound"


TRITON = {"modelServer": {"triton": {"image": "triton:1", "resources": {"gpu": {"count": 2}}}}}


def sidecar(**state):
    """A pod whose runtime waits for a Triton in a state."""
    found = pod(waiting={"reason": "PodInitializing"})
    found["status"]["initContainerStatuses"] = [{"name": "triton", **state}]
    return found


@pytest.mark.parametrize(
    ("found", "reason", "says"),
    [
        (
            sidecar(state={"waiting": {"reason": "ErrImagePull", "message": "no such image"}}),
            "ImagePullFailed",
            "spec.modelServer.triton.image",
        ),
        (
            sidecar(
                state={"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 1, "message": "error: no GPU\n"}},
            ),
            "ModelServerFailed",
            "exit code 1: error: no GPU",
        ),
        (
            pod(unschedulable="0/1 nodes: 1 Insufficient nvidia.com/gpu."),
            "InsufficientGPU",
            "spec.modelServer.triton.resources.gpu.count (2",
        ),
    ],
)
def test_what_keeps_the_model_server_from_running_is_named(found, reason, says):
    md = model_deployment(**TRITON)
    decision = decide(md, Observed(pods={Revision.wanted(md, SETTINGS).name: [found]}), SETTINGS, NOW)
    assert condition(decision, "Ready")["reason"] == reason
    assert says in condition(decision, "Ready")["message"]
    assert decision.status["gpu"] == 2


def test_a_sidecar_that_was_restarted_and_runs_is_no_failure():
    runs = sidecar(state={"running": {}}, lastState={"terminated": {"exitCode": 1}})
    md = model_deployment(**TRITON)
    decision = decide(md, Observed(pods={Revision.wanted(md, SETTINGS).name: [runs]}), SETTINGS, NOW)
    assert condition(decision, "Ready")["reason"] == "Progressing"


GUARDED = {"serving": {"access": "GatewayOnly"}}


def test_guarded_pods_get_the_gateways_authority_before_they_start():
    decision = decide(model_deployment(**GUARDED), Observed(gateway_ca="PEM"), SETTINGS, NOW)
    trusted = decision.manifests[0]
    assert (trusted["kind"], trusted["data"]) == ("ConfigMap", {"ca.crt": "PEM"})
    assert "serving.turnout.dev/revision" not in trusted["metadata"]["labels"]
    volumes = decision.manifests[-1]["spec"]["template"]["spec"]["volumes"]
    assert trusted["metadata"]["name"] in [v["configMap"]["name"] for v in volumes if "configMap" in v]


def test_the_authority_is_removed_when_no_revision_needs_it():
    decision = decide(model_deployment(), Observed(gateway_ca="PEM", trusts_gateways=True), SETTINGS, NOW)
    assert decision.obsolete == (Obsolete("ConfigMap", "m-turnout-gateway-ca"),)
    assert decide(model_deployment(), Observed(gateway_ca="PEM"), SETTINGS, NOW).obsolete == ()


def test_deciding_again_on_the_same_facts_changes_nothing():
    seen = observed(1, ready=[1], pods={1: [pod(ready=True)]})
    first = decide(model_deployment(**spec(1)), seen, SETTINGS, NOW)
    again = decide(model_deployment(status=first.status, **spec(1)), seen, SETTINGS, LATER)
    assert again == first
    assert condition(first, "Ready")["status"] == "True"


def test_a_transition_time_moves_only_with_the_status():
    before = decide(model_deployment(**spec(1)), observed(1), SETTINGS, NOW)
    after = decide(
        model_deployment(status=before.status, **spec(1)),
        observed(1, ready=[1], pods={1: [pod(ready=True)]}),
        SETTINGS,
        LATER,
    )
    assert condition(after, "Accepted")["lastTransitionTime"] == NOW
    assert condition(after, "Ready")["lastTransitionTime"] == LATER


def test_scaled_to_zero_is_ready():
    seen = observed(1, ready=[1], replicas=0)
    decision = decide(model_deployment(replicas=0, **spec(1)), seen, SETTINGS, NOW)
    assert condition(decision, "Ready")["status"] == "True"
