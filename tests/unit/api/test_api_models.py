"""Objects go in as the API server sends them and come out the same; specs are immutable, statuses are lenient."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from turnout_operator.api.bundle import Bundle, BundleLocation
from turnout_operator.api.manifest import KINDS
from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy

CASES = yaml.safe_load((Path(__file__).parents[2] / "e2e" / "admission_cases.yaml").read_text())
MODELS = {kind.NAMES.kind: kind for kind in KINDS}
DIGEST = "sha256:" + "0" * 64


def dump(resource: Any) -> dict[str, Any]:
    written: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    return written


def model_deployment(**spec: Any) -> ModelDeployment:
    bundle = {"uri": "configmap://champion", "digest": DIGEST}
    return ModelDeployment.model_validate({"metadata": {"name": "a"}, "spec": {"bundle": bundle, **spec}})


@pytest.mark.parametrize("name", CASES["accepted"])
def test_round_trip(name: str) -> None:
    document = CASES["accepted"][name]
    first = MODELS[document["kind"]].model_validate(document)
    second = type(first).model_validate(dump(first))
    assert second == first
    assert dump(second) == dump(first)


def test_full_object_is_written_as_it_was_read() -> None:
    document = CASES["accepted"]["md-full"]
    written = dump(ModelDeployment.model_validate(document))["spec"]
    document["spec"]["resources"]["requests"]["cpu"] = "1"
    document["spec"]["facts"]["plane"] |= {"timeout": "20ms"}
    document["spec"]["facts"]["plane"]["redis"] |= {"keyPrefix": ""}
    for fact in document["spec"]["facts"].values():
        fact["redis"] |= {"encoding": "json"}
    document["spec"]["serving"] |= {"maxBodySize": "1Mi", "processes": 1, "access": "Any"}
    log = document["spec"]["predictionLog"]
    log["rotate"] |= {"age": "60s"}
    log |= {"enabled": True, "whenFull": "DropOldest", "sample": "100%", "redact": [], "headers": [], "sinks": []}
    document["spec"] |= {"mode": "online"}
    assert written == document["spec"]


def test_metadata_keeps_what_is_used_and_ignores_the_rest() -> None:
    metadata = {
        "name": "a",
        "namespace": "demo",
        "uid": "u",
        "generation": 3,
        "resourceVersion": "12",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "deletionTimestamp": "2026-01-02T03:04:06Z",
        "managedFields": [{"manager": "kubectl"}],
    }
    document = CASES["accepted"]["md-minimal"] | {"metadata": metadata}
    written = dump(ModelDeployment.model_validate(document))["metadata"]
    del metadata["managedFields"]
    assert written == metadata | {"labels": {}, "annotations": {}}


def test_status_of_a_newer_operator_is_read() -> None:
    condition = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-01-02T03:04:05Z"}
    document = CASES["accepted"]["rp-full"] | {"status": {"conditions": [condition | {"new": 1}], "phase": "new"}}
    status = RoutingPolicy.model_validate(document).status
    assert status is not None
    assert dump(status)["conditions"] == [condition | {"observedGeneration": 0, "message": ""}]


def test_spec_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        model_deployment().spec.replicas = 2


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("configmap://champion", BundleLocation("configmap", "champion", "bundle.tar.gz")),
        ("configmap://champion/b.tar.gz", BundleLocation("configmap", "champion", "b.tar.gz")),
        ("pvc://models/flight/7/", BundleLocation("pvc", "models", "flight/7")),
        ("https://host:8443/a/b.tar.gz?x=/", BundleLocation("https", "host:8443", "a/b.tar.gz?x=/")),
        ("s3://models/flight/7/", BundleLocation("s3", "models", "flight/7/")),
        ("oci://host:5000/team/flight:7", BundleLocation("oci", "host:5000", "team/flight:7")),
        ("image://host/team/flight:7", BundleLocation("image", "host", "team/flight:7")),
    ],
)
def test_bundle_location(uri: str, location: BundleLocation) -> None:
    assert Bundle(uri=uri, digest=DIGEST).location == location
