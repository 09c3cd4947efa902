import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.plan.builders import DIGEST, model_deployment

from turnout_operator.plan.revision import Revision, revision_hash
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import config_map, manifests

SETTINGS = PlanSettings(runtime_image="runtime:1")


@given(st.integers(0, 1000), st.integers(1, 50))
def test_replicas_and_history_are_not_part_of_a_revision(replicas, history):
    plain = model_deployment()
    scaled = model_deployment(replicas=replicas, revisionHistory=history)
    assert revision_hash(plain.spec) == revision_hash(scaled.spec)


def test_a_default_spelt_out_is_the_same_revision():
    assert revision_hash(model_deployment().spec) == revision_hash(model_deployment(serving={"concurrency": 8}).spec)


@pytest.mark.parametrize(
    "change",
    [
        {"bundle": {"uri": "configmap://b", "digest": DIGEST[:-1] + "b"}},
        {"serving": {"concurrency": 9}},
        {"runtime": {"env": [{"name": "A", "value": "1"}]}},
        {"resources": {"gpu": {"count": 1}}},
        {"predictionLog": {"rotate": {"keep": 3}}},
        {"facts": {"w": {"redis": {"url": "redis://r:6379"}}}},
        {"serving": {"access": "GatewayOnly"}},
        {"serving": {"batching": {"maxSize": 8}}},
        {"requires": {"card": {"dataset": "a"}}},
    ],
)
def test_what_changes_pods_changes_the_revision(change):
    assert revision_hash(model_deployment().spec) != revision_hash(model_deployment(**change).spec)


def test_the_image_is_pinned_when_the_revision_is_made_and_survives_a_new_default():
    made = Revision.wanted(model_deployment(), SETTINGS)
    stored = stored_again(made)
    assert stored.spec.runtime.image == "runtime:1"
    assert Revision.wanted(model_deployment(), PlanSettings("runtime:2")).name == stored.name
    assert pod_spec(stored)["containers"][0]["image"] == "runtime:1"


def test_a_revision_read_back_plans_the_same_objects():
    md = model_deployment(
        facts={"weather": {"redis": {"secretRef": {"name": "s", "key": "k"}}, "fallback": {"temp": 1.5}}},
        resources={"gpu": {"count": 2}, "limits": {"memory": "1Gi"}},
    )
    made = Revision.wanted(md, SETTINGS)
    again = stored_again(made)
    assert config_map(made, SETTINGS) == config_map(again, SETTINGS)
    assert manifests(md, made, 1, SETTINGS)[1:] == manifests(md, again, 1, SETTINGS)[1:]


def test_the_runtime_reads_normalised_units_and_secrets_only_by_reference():
    md = model_deployment(
        bundle={"uri": "pvc://claim/models/7", "digest": DIGEST},
        facts={"weather": {"redis": {"secretRef": {"name": "s", "key": "k"}}, "timeout": "20ms"}},
        serving={"timeout": "2s", "queue": {"maxDepth": 3, "maxWait": "50ms"}},
    )
    revision = Revision.wanted(md, SETTINGS)
    config = json.loads(config_map(revision, SETTINGS)["data"]["runtime.json"])
    assert config["bundle"]["path"] == "/var/run/turnout/source/models/7"
    assert config["serving"]["timeoutSeconds"] == 2.0
    assert config["serving"]["maxQueueWaitSeconds"] == 0.05
    assert config["facts"]["weather"]["redis"]["urlFromEnv"] == "TURNOUT_FACT_WEATHER_URL"
    env = {var["name"]: var for var in pod_spec(revision)["containers"][0]["env"]}
    assert env["TURNOUT_FACT_WEATHER_URL"]["valueFrom"]["secretKeyRef"] == {"name": "s", "key": "k"}


def test_gpus_become_limits_and_the_pod_is_restricted():
    pod = pod_spec(Revision.wanted(model_deployment(resources={"gpu": {"count": 2}}), SETTINGS))
    container = pod["containers"][0]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_missing_config_map_is_left_to_the_runtime_to_report():
    volumes = {v["name"]: v for v in pod_spec(Revision.wanted(model_deployment(), SETTINGS))["volumes"]}
    assert volumes["source"]["configMap"]["optional"]
    assert "optional" not in volumes["config"]["configMap"]


def stored_again(revision: Revision) -> Revision:
    live = config_map(revision, SETTINGS)
    live["metadata"] = {"namespace": "ns", "name": revision.name, "labels": revision.labels}
    return Revision.stored(live)


def pod_spec(revision: Revision):
    return manifests(model_deployment(), revision, 1, SETTINGS)[-1]["spec"]["template"]["spec"]
