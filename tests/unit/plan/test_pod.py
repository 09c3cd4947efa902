"""The pod of a revision: what each part of the spec adds to it, and that secrets are references only."""

import pytest
from tests.unit.plan.builders import DIGEST, batch_deployment, model_deployment
from tests.unit.plan.test_runtime_config import FACTS

from turnout_operator.plan.pod import job_template, pod_template
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import batch_manifests, manifests

SETTINGS = PlanSettings(runtime_image="runtime:1")


def pod_of(md, template=pod_template):
    return template(Revision.wanted(md, SETTINGS), SETTINGS)["spec"]


def runtime_of(pod):
    (container,) = pod["containers"]
    return container


def volumes(pod):
    return {volume["name"]: volume for volume in pod["volumes"]}


def mounts(container):
    return {mount["name"]: mount for mount in container["volumeMounts"]}


def env(pod):
    return {variable["name"]: variable for variable in runtime_of(pod)["env"]}


def secret_keys(pod):
    found = {name: variable.get("valueFrom", {}).get("secretKeyRef") for name, variable in env(pod).items()}
    return {name: key for name, key in found.items() if key}


def bundle(uri, **more):
    return {"bundle": {"uri": uri, "digest": DIGEST, **more}}


def test_every_secret_of_a_fact_has_a_variable_of_its_own():
    assert secret_keys(pod_of(model_deployment(facts=FACTS))) == {
        "TURNOUT_FACT_VECTOR_URL": {"name": "r", "key": "url"},
        "TURNOUT_FEAST_VAULT": {"name": "f", "key": "s"},
        "TURNOUT_HEADER_WEATHER_1": {"name": "w", "key": "token"},
    }


def test_names_of_facts_that_look_alike_share_no_variable():
    header = [{"name": "a", "secretRef": {"name": "s", "key": "k"}}] * 1
    url = {"redis": {"secretRef": {"name": "s", "key": "k"}}}
    web = {"http": {"url": "http://a/{key}", "headers": header}}
    store = {"feast": {"secretRef": {"name": "s", "key": "k"}, "features": ["a:b"], "joinKey": "c"}}
    facts = {"a": web, "a_0": web, "header_a_0": url, "a_url": url, "feast_a": url, "url": store}
    assert len(secret_keys(pod_of(model_deployment(facts=facts)))) == len(facts)


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_an_object_stores_keys_come_as_they_are_named_in_the_secret(scheme):
    pod = pod_of(model_deployment(**bundle(f"{scheme}://models/7", secretRef={"name": "store"})))
    assert runtime_of(pod)["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert "source" not in volumes(pod)


def test_a_registrys_credentials_lie_where_clients_look():
    pod = pod_of(model_deployment(**bundle("oci://host/team/b:7", secretRef={"name": "registry"})))
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    assert volumes(pod)["registry"]["secret"] == {"secretName": "registry", "items": items}
    place = mounts(runtime_of(pod))["registry"]
    assert place["readOnly"]
    assert env(pod)["DOCKER_CONFIG"]["value"] == place["mountPath"]
    assert "imagePullSecrets" not in pod


def test_a_users_own_variable_wins_over_the_one_for_the_registry():
    own = {"env": [{"name": "DOCKER_CONFIG", "value": "/tmp"}]}
    pod = pod_of(model_deployment(runtime=own, **bundle("oci://host/team/b:7", secretRef={"name": "registry"})))
    assert [variable["name"] for variable in runtime_of(pod)["env"]].count("DOCKER_CONFIG") == 1
    assert env(pod)["DOCKER_CONFIG"]["value"] == "/tmp"


def test_an_image_is_mounted_by_the_node_that_pulls_it_with_the_secret():
    pod = pod_of(model_deployment(**bundle("image://host:5000/team/b:7", secretRef={"name": "registry"})))
    image = {"reference": "host:5000/team/b:7", "pullPolicy": "IfNotPresent"}
    assert volumes(pod)["source"] == {"name": "source", "image": image}
    assert mounts(runtime_of(pod))["source"]["mountPath"] == "/var/run/turnout/source"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert "envFrom" not in runtime_of(pod)


def test_guarded_pods_mount_the_gateways_authority_and_their_service_says_https():
    md = model_deployment(serving={"access": "GatewayOnly"})
    pod = pod_of(md)
    assert mounts(runtime_of(pod))["gateway-ca"] == {
        "name": "gateway-ca", "mountPath": "/var/run/turnout/gateway", "readOnly": True
    }  # fmt: skip
    service = next(m for m in manifests(md, Revision.wanted(md, SETTINGS), 1, SETTINGS) if m["kind"] == "Service")
    assert service["spec"]["ports"][0]["appProtocol"] == "https"


def triton_of(**more):
    spec = {"modelServer": {"triton": {"image": "triton:1", **more.pop("triton", {})}}, **more}
    pod = pod_of(model_deployment(**spec))
    (sidecar,) = pod["initContainers"]
    return pod, sidecar


def test_triton_is_a_sidecar_that_only_its_own_pod_reaches():
    pod, sidecar = triton_of(triton={"args": ["--log-verbose=1"]})
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("triton", "Always")
    assert "--http-address=127.0.0.1" in sidecar["command"][2]
    assert "--grpc-address=127.0.0.1" in sidecar["command"][2]
    assert sidecar["command"][-1] == "--log-verbose=1"
    assert sidecar["securityContext"] == runtime_of(pod)["securityContext"]
    assert "ports" not in sidecar


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("configmap://b", f"/var/cache/turnout/{'a' * 64}/models"),
        ("s3://models/7/", f"/var/cache/turnout/{'a' * 64}/models"),
        ("pvc://claim/b.tar.gz", f"/var/cache/turnout/{'a' * 64}/models"),
        ("pvc://claim/folder", "/var/run/turnout/source/folder/models"),
        ("image://host/b:1", "/var/run/turnout/source/models"),
    ],
)
def test_triton_reads_its_repository_where_the_runtime_has_the_bundle(uri, folder):
    pod, sidecar = triton_of(**bundle(uri))
    assert sidecar["command"][4] == folder
    assert any(folder.startswith(mount["mountPath"]) and mount["readOnly"] for mount in sidecar["volumeMounts"][1:])
    assert {mount["name"] for mount in sidecar["volumeMounts"]} <= volumes(pod).keys()


def test_triton_reads_its_repository_from_a_claim():
    pod, sidecar = triton_of(triton={"modelRepository": "pvc://models/flight"})
    assert sidecar["command"][4] == "/var/run/turnout/repository/flight"
    assert volumes(pod)["repository"]["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}


def test_shared_memory_is_shared():
    pod, sidecar = triton_of(triton={"sharedMemory": True})
    for container in (sidecar, runtime_of(pod)):
        assert mounts(container)["shared-memory"]["mountPath"] == "/dev/shm"
    assert volumes(pod)["shared-memory"]["emptyDir"] == {"medium": "Memory"}


def test_gpus_of_triton_are_tritons():
    pod, sidecar = triton_of(triton={"resources": {"gpu": {"count": 2}}})
    assert sidecar["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert "limits" not in runtime_of(pod)["resources"]


def test_a_batch_pod_serves_nobody_and_is_not_started_again():
    pod = pod_of(batch_deployment(), job_template)
    assert pod["restartPolicy"] == "Never"
    assert not {"ports", "readinessProbe", "livenessProbe"} & runtime_of(pod).keys()
    assert pod["securityContext"]["runAsNonRoot"]


def test_claims_of_a_batch_are_mounted_once_each_and_writable_only_for_the_output():
    md = batch_deployment(
        input="pvc://flights/2013/",
        output="pvc://scores/out/",
        facts={"weather": {"uri": "pvc://flights/w.csv"}, "plane": {"uri": "s3://facts/p.csv"}},
        secretRef={"name": "store"},
    )
    pod = pod_of(md, job_template)
    claims = {v["persistentVolumeClaim"]["claimName"]: v for v in pod["volumes"] if "persistentVolumeClaim" in v}
    assert claims.keys() == {"flights", "scores"}
    assert claims["flights"]["persistentVolumeClaim"]["readOnly"]
    assert "readOnly" not in claims["scores"]["persistentVolumeClaim"]
    placed = {mount["mountPath"]: mount.get("readOnly", False) for mount in runtime_of(pod)["volumeMounts"]}
    assert placed["/var/run/turnout/claims/flights"]
    assert not placed["/var/run/turnout/claims/scores"]
    assert runtime_of(pod)["envFrom"] == [{"secretRef": {"name": "store"}}]


def test_an_output_beside_its_input_makes_the_claim_writable():
    claims = [v for v in pod_of(batch_deployment(), job_template)["volumes"] if "persistentVolumeClaim" in v]
    assert [v["persistentVolumeClaim"] for v in claims] == [{"claimName": "data"}]


def test_a_job_has_an_index_for_each_shard_and_tries_each_by_itself():
    md = batch_deployment(shards=12, parallelism=4, retries=1, deadline="6h")
    *_, job = batch_manifests(md, Revision.wanted(md, SETTINGS), SETTINGS, recorded=False, run=True)
    spec = job["spec"]
    assert (job["apiVersion"], job["kind"], spec["completionMode"]) == ("batch/v1", "Job", "Indexed")
    assert (spec["completions"], spec["parallelism"], spec["backoffLimitPerIndex"]) == (12, 4, 1)
    assert spec["activeDeadlineSeconds"] == 21600
    assert job["spec"]["template"]["metadata"]["labels"] == job["metadata"]["labels"]


def test_a_schedule_makes_a_cron_job_whose_jobs_are_known_by_their_labels():
    md = batch_deployment(schedule="@daily", timeZone="Europe/Berlin", shards=3)
    *_, cron = batch_manifests(md, Revision.wanted(md, SETTINGS), SETTINGS, recorded=True, run=False)
    assert (cron["kind"], cron["spec"]["schedule"], cron["spec"]["timeZone"]) == ("CronJob", "@daily", "Europe/Berlin")
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert cron["spec"]["jobTemplate"]["metadata"]["labels"] == cron["metadata"]["labels"]
    assert cron["spec"]["jobTemplate"]["spec"]["parallelism"] == 3
    assert len(cron["metadata"]["name"]) <= 52
