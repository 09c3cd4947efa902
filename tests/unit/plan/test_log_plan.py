"""The prediction log in the pods: what the spec says arrives, secrets are references, the end has its order."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.unit.plan.builders import DIGEST, model_deployment, pod

from turnout_operator.api.prediction_log import LogFlush
from turnout_operator.plan.failures import find_failure
from turnout_operator.plan.log_config import ship_config
from turnout_operator.plan.pod import pod_template
from turnout_operator.plan.revision import Revision, revision_hash
from turnout_operator.plan.runtime_config import runtime_config
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import config_map
from turnout_runtime import config as runtime
from turnout_runtime.config.ship import ShipConfig
from turnout_runtime.ship.backlog import REJECTED_KEPT

SETTINGS = PlanSettings(runtime_image="runtime:1", drain_seconds=5.0)
LAKE = {"name": "my-lake", "objectStore": {"uri": "s3://logs/a", "secretRef": {"name": "lake"}}}
DISK = {"name": "disk", "directory": {"persistentVolumeClaim": {"claimName": "data"}, "path": "predictions/"}}
STREAM = {
    "name": "stream",
    "kafka": {
        "brokers": ["kafka:9092"],
        "topic": "t",
        "feedbackTopic": "f",
        "tls": {"caSecretRef": {"name": "kafka", "key": "pem"}},
        "sasl": {"mechanism": "PLAIN", "secretRef": {"name": "kafka"}},
    },
}
ALL = [LAKE, DISK, STREAM, {"name": "console", "stdout": {}}]


def revision(**log):
    return Revision.wanted(model_deployment(predictionLog=log), SETTINGS)


def pod_of(**log):
    return pod_template(revision(**log), SETTINGS)["spec"]


def written(**log):
    return runtime_config(revision(**log), 5.0)["predictionLog"]


PLAIN = {"directory": "/var/log/turnout", "maxFileBytes": 64 * 1024**2, "maxFiles": 8}


def test_a_log_that_is_not_spoken_of_is_what_it_always_was():
    explicit = {
        "enabled": True,
        "rotate": {"age": "60s"},
        "flush": {"interval": "200ms", "sync": False},
        "whenFull": "DropOldest",
        "sample": "100%",
        "redact": [],
        "headers": [],
        "sinks": [],
    }
    assert written() == written(**explicit) == PLAIN
    assert config_map(revision(**explicit), SETTINGS)["data"].keys() == {"spec.json", "runtime.json"}
    assert "initContainers" not in pod_of(**explicit)
    del explicit["flush"]
    assert revision_hash(revision(**explicit).spec) == revision_hash(revision().spec)


def test_every_setting_of_the_writer_arrives_in_seconds_and_ratios():
    assert written(
        enabled=False,
        rotate={"size": "1Mi", "keep": 4, "age": "5m"},
        flush={"interval": "0s", "sync": True},
        whenFull="DropNewest",
        sample="0.25%",
        redact=["context.a"],
        hash={"fields": ["entity_id"], "keySecretRef": {"name": "s", "key": "k"}},
        headers=["x-region"],
    ) == {
        "directory": "/var/log/turnout",
        "maxFileBytes": 1024**2,
        "maxFiles": 4,
        "maxAgeSeconds": 300,
        "flushSeconds": 0,
        "sync": True,
        "whenFull": "dropNewest",
        "enabled": False,
        "sample": 0.0025,
        "redact": ["context.a"],
        "hash": {"fields": ["entity_id"], "keyEnv": "TURNOUT_LOG_HASH_KEY"},
        "headers": ["x-region"],
    }
    assert written(sinks=[LAKE]) == {**PLAIN, "shipped": True}


def test_the_key_of_the_hashes_goes_to_the_runtime_alone_and_must_be_there():
    found = pod_of(sinks=[LAKE], hash={"fields": ["entity_id"], "keySecretRef": {"name": "s", "key": "k"}})
    keys = {each["name"]: each.get("valueFrom") for each in found["containers"][0]["env"]}
    assert keys["TURNOUT_LOG_HASH_KEY"] == {"secretKeyRef": {"name": "s", "key": "k"}}
    assert [each["name"] for each in found["initContainers"][0]["env"]] == ["POD_NAME"]


def test_the_sinks_arrive_and_secrets_are_names_of_variables_and_files():
    log = {"sinks": ALL, "retention": {"age": "30d", "size": "1Gi"}}
    config = ship_config(revision(**log))
    assert config == {
        "directory": "/var/log/turnout",
        "port": 9092,
        "sinks": [
            {"name": "my-lake", "objectStore": {"uri": "s3://logs/a"}},
            {"name": "disk", "directory": {"path": "/var/run/turnout/sinks/disk/predictions"}},
            {
                "name": "stream",
                "kafka": {
                    "brokers": ["kafka:9092"],
                    "topic": "t",
                    "feedbackTopic": "f",
                    "tls": {"ca": "/var/run/turnout/sinks/stream/ca.crt"},
                    "sasl": {
                        "mechanism": "PLAIN",
                        "usernameEnv": "TURNOUT_LOG_STREAM_USERNAME",
                        "passwordEnv": "TURNOUT_LOG_STREAM_PASSWORD",
                    },
                },
            },
            {"name": "console", "stdout": {}},
        ],
        "retention": {"ageSeconds": 30 * 86400, "bytes": 1024**3},
    }
    assert json.loads(config_map(revision(**log), SETTINGS)["data"]["ship.json"]) == config
    store = {"uri": "s3://logs", "endpoint": "http://store:7070", "region": "r"}
    (sink,) = ship_config(revision(sinks=[{"name": "a", "objectStore": store}]))["sinks"]
    assert sink["objectStore"] == {**store, "allowHttp": True}


def test_the_sidecar_alone_has_the_secrets_and_claims_of_the_sinks():
    found = pod_of(sinks=ALL)
    (shipper,), (runtime,) = found["initContainers"], found["containers"]
    assert (shipper["name"], shipper["image"], shipper["restartPolicy"]) == ("log", "runtime:1", "Always")
    assert shipper["resources"] == {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}}
    secret = {"name": "lake", "optional": True}
    assert shipper["envFrom"] == [{"prefix": "TURNOUT_LOG_MY_LAKE_", "secretRef": secret}]
    user, password = ({"name": "kafka", "key": key, "optional": True} for key in ("username", "password"))
    assert {each["name"]: each["valueFrom"].get("secretKeyRef") for each in shipper["env"][1:]} == {
        "TURNOUT_LOG_STREAM_USERNAME": user,
        "TURNOUT_LOG_STREAM_PASSWORD": password,
    }
    places = {each["name"]: each["mountPath"] for each in shipper["volumeMounts"]}
    assert places == {
        "ship": "/etc/turnout",
        "log": "/var/log/turnout",
        "ship-tmp": "/tmp",
        "sink-1": "/var/run/turnout/sinks/disk",
        "sink-2": "/var/run/turnout/sinks/stream",
    }
    volumes = {each["name"]: each for each in found["volumes"]}
    assert volumes["sink-1"]["persistentVolumeClaim"] == {"claimName": "data"}
    items = [{"key": "pem", "path": "ca.crt"}]
    assert volumes["sink-2"]["secret"] == {"secretName": "kafka", "items": items, "optional": True}
    assert not {each["name"] for each in runtime["volumeMounts"]} & {"ship", "ship-tmp", "sink-1", "sink-2"}
    assert not any("LAKE" in str(each) or "kafka" in str(each) for each in runtime["env"])


def test_both_containers_see_the_pods_own_folder_of_a_claim():
    found = pod_of(sinks=[DISK], persistentVolumeClaim={"claimName": "logs"})
    for container in (*found["initContainers"], *found["containers"]):
        (log,) = [each for each in container["volumeMounts"] if each["name"] == "log"]
        assert log == {"name": "log", "mountPath": "/var/log/turnout", "subPathExpr": "$(POD_NAME)"}


def test_the_sidecar_is_first_so_that_it_ends_last_and_has_time_to_deliver_the_rest():
    triton = {"triton": {"image": "triton:1"}}
    md = model_deployment(modelServer=triton, predictionLog={"sinks": [LAKE]})
    found = pod_template(Revision.wanted(md, SETTINGS), SETTINGS)["spec"]
    assert [each["name"] for each in found["initContainers"]] == ["log", "triton"]
    assert found["terminationGracePeriodSeconds"] == pod_of()["terminationGracePeriodSeconds"] + 30


def test_the_sidecars_resources_are_the_specs():
    asked = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi", "cpu": "2"}}
    (shipper,) = pod_of(sinks=[LAKE], shipper={"resources": asked})["initContainers"]
    assert shipper["resources"] == {
        "requests": {"cpu": "1", "memory": "192Mi"},
        "limits": {"memory": "1Gi", "cpu": "2"},
    }


def script() -> list[str]:
    (shipper,) = pod_of(sinks=[LAKE])["initContainers"]
    assert shipper["command"][3:] == ["log", "turnout", "log", "ship", "--config", "/etc/turnout/ship.json"]
    return shipper["command"][:4]


def test_the_program_is_told_to_end_and_awaited():
    told = "trap 'sleep 0.1; echo delivered; exit 0' TERM; echo up; while :; do sleep 0.02; done"
    with subprocess.Popen([*script(), "sh", "-c", told], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout.readline() == "up\n"
        shell.send_signal(signal.SIGTERM)
        assert shell.communicate(timeout=10)[0] == "delivered\n"


def test_a_program_that_ends_is_started_again_until_the_pod_ends(tmp_path):
    (tmp_path / "sleep").write_text("#!/bin/sh\necho slept\n")
    (tmp_path / "sleep").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    program = [*script(), "sh", "-c", "echo up; exit 1"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=path) as shell:
        assert [shell.stdout.readline() for _ in range(4)] == ["up\n", "slept\n", "up\n", "slept\n"]
        shell.send_signal(signal.SIGTERM)
        shell.communicate(timeout=10)


@pytest.mark.parametrize(
    ("waiting", "reason", "remedy"),
    [
        ({"reason": "ErrImagePull", "message": "no such image"}, "ImagePullFailed", "correct spec.runtime.image"),
        ({"reason": "CreateContainerConfigError", "message": "gone"}, "ConfigInvalid", "create what is missing"),
    ],
)
def test_a_sidecar_that_cannot_be_made_is_told_of(waiting, reason, remedy):
    seen = pod()
    seen["status"]["initContainerStatuses"] = [{"name": "log", "state": {"waiting": waiting}}]
    failure = find_failure([seen], None, revision(sinks=[LAKE]).spec)
    assert (failure.reason, failure.message) == (reason, f"{waiting['message']}: {remedy}")


@pytest.mark.parametrize(
    ("log", "claim", "path"),
    [
        ({"sinks": [DISK]}, "data", "spec.predictionLog.sinks"),
        ({"persistentVolumeClaim": {"claimName": "logs"}}, "logs", "spec.predictionLog.persistentVolumeClaim"),
    ],
)
def test_a_claim_that_is_missing_is_named(log, claim, path):
    said = f'0/1 nodes are available: persistentvolumeclaim "{claim}" not found.'
    failure = find_failure([pod(unschedulable=said)], None, revision(**log).spec)
    assert failure.message.endswith(f"create the PersistentVolumeClaim {claim} or correct {path}")


def test_bundle_and_log_of_one_spec_stay_apart():
    md = model_deployment(bundle={"uri": "pvc://data/b", "digest": DIGEST}, predictionLog={"sinks": [DISK]})
    volumes = pod_template(Revision.wanted(md, SETTINGS), SETTINGS)["spec"]["volumes"]
    claims = {each["name"]: each["persistentVolumeClaim"] for each in volumes if "persistentVolumeClaim" in each}
    assert claims == {"source": {"claimName": "data", "readOnly": True}, "sink-0": {"claimName": "data"}}


FULL = {
    "enabled": True,
    "rotate": {"size": "1Mi", "keep": 4, "age": "5m"},
    "flush": {"interval": "0s", "sync": True},
    "whenFull": "DropNewest",
    "sample": "0.25%",
    "redact": ["context.a", "score", "features.x", "caller", "facts.plane", "request_id"],
    "hash": {
        "fields": ["entity_id", "context.a.b", "caller.sub", "headers.x-a", "facts.plane.value.owner"],
        "keySecretRef": {"name": "s", "key": "k"},
    },
    "headers": ["x-region"],
    "sinks": ALL,
    "retention": {"age": "36h"},
}


def test_both_programs_read_what_is_written_and_their_defaults_are_the_specs():
    read = runtime.PredictionLog.model_validate(written(**FULL))
    assert (read.max_age_seconds, read.flush_seconds, read.when_full, read.sample) == (300, 0, "dropNewest", 0.0025)
    assert (read.redact, read.hash.fields) == (FULL["redact"], FULL["hash"]["fields"])
    plain, spec = runtime.PredictionLog.model_validate(written()), revision().spec.prediction_log
    assert plain.max_age_seconds == spec.rotate.age.seconds
    assert plain.flush_seconds == LogFlush().interval.seconds
    assert (plain.sync, plain.enabled, plain.sample) == (LogFlush().sync, spec.enabled, spec.sample.ratio)
    assert plain.when_full == "dropOldest"
    ship = ShipConfig.model_validate({"pod": "p", **ship_config(revision(**FULL))})
    assert [sink.name for sink in ship.sinks] == ["my-lake", "disk", "stream", "console"]
    assert ship.sinks[0].prefix == "TURNOUT_LOG_MY_LAKE_"
    assert ship.sinks[2].kafka.compression == revision(**FULL).spec.prediction_log.sinks[2].kafka.compression
    assert (ship.retention.age_seconds, ship.retention.bytes, ship.port) == (36 * 3600, None, 9092)
    assert ShipConfig.model_validate({"pod": "p", **ship_config(revision(sinks=[DISK]))}).retention.age_seconds is None


def test_a_volume_that_is_shipped_from_has_room_beside_the_rotation():
    def limit(keep: int = 4, **log) -> int:
        md = model_deployment(serving={"processes": 3}, predictionLog={"rotate": {"size": "1Mi", "keep": keep}, **log})
        found = pod_template(Revision.wanted(md, SETTINGS), SETTINGS)["spec"]["volumes"]
        (volume,) = [each for each in found if each["name"] == "log"]
        return int(volume["emptyDir"]["sizeLimit"]) // 1024**2

    assert (limit(), limit(sinks=[LAKE]), limit(20, sinks=[LAKE])) == (5, 4 + 1 + 6 + REJECTED_KEPT, 20 + 1 + 6 + 20)


def test_the_pages_example_is_a_valid_spec():
    page = (Path(__file__).parents[3] / "docs" / "prediction-log.md").read_text()
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.S) if "predictionLog:" in block]
    given = yaml.safe_load(text)
    md = model_deployment(**given)
    assert {sink.name for sink in md.spec.prediction_log.sinks} == {"lake", "disk", "stream", "console"}
    ShipConfig.model_validate({"pod": "p", **ship_config(Revision.wanted(md, SETTINGS))})
