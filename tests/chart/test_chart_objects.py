"""The objects of the chart fit each other: selectors find pods, ports exist, flags and names are the agreed ones."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.rendering import CHART, NAMESPACE, ROOT, Manifests, Object, render

CRDS = sorted((ROOT / "crds").glob("*.yaml"))
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


def pods_of(chart: Manifests, selector: dict[str, str]) -> list[Object]:
    return [pod for _, pod in chart.pods() if selector.items() <= pod["metadata"]["labels"].items()]


def test_each_service_finds_one_kind_of_pod_and_its_port(chart: Manifests) -> None:
    found = {}
    for service in chart.kind("Service"):
        (pod,) = pods_of(chart, service["spec"]["selector"])
        named = {port["name"]: port["containerPort"] for c in pod["spec"]["containers"] for port in c.get("ports", [])}
        for port in service["spec"]["ports"]:
            found[service["metadata"]["name"]] = (pod["spec"]["serviceAccountName"], named[port["targetPort"]])
    assert found == {
        "turnout-xds": ("turnout-operator", 18000),
        "turnout-operator-metrics": ("turnout-operator", 8080),
        "turnout-gateway": ("turnout-gateway", 8080),
        "turnout-gateway-metrics": ("turnout-gateway", 9902),
    }


def test_gateways_find_every_ready_operator_by_a_headless_service(chart: Manifests) -> None:
    spec = chart.get("Service", "turnout-xds")["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", False)
    assert [port["port"] for port in spec["ports"]] == [18000]


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_a_budget_and_spread_cover_each_deployment(component: str, chart: Manifests) -> None:
    deployment = chart.get("Deployment", f"turnout-{component}")["spec"]
    budget = chart.get("PodDisruptionBudget", f"turnout-{component}")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert deployment["selector"] == budget["selector"] == spread["labelSelector"] == {"matchLabels": labels}
    assert labels["app.kubernetes.io/component"] == component
    assert budget["maxUnavailable"] == 1
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_every_object_is_labelled_and_placed(chart: Manifests) -> None:
    for each in chart.all:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/part-of"] == "turnout"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("turnout-")
        assert each["metadata"].get("namespace") == (None if each["kind"] in CLUSTER_WIDE else NAMESPACE)


def test_the_operator_is_told_what_it_must_know(chart: Manifests) -> None:
    (operator,) = chart.get("Deployment", "turnout-operator")["spec"]["template"]["spec"]["containers"]
    assert operator["args"] == [
        "--runtime-image=turnout/runtime:0.1.0",
        "--namespace=$(POD_NAMESPACE)",
        "--xds-port=18000",
        "--xds-service=turnout-xds.$(POD_NAMESPACE).svc",
        "--http-port=8080",
        "--log-level=info",
        "--scrape-seconds=15",
    ]
    fields = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in operator["env"]}
    assert fields == {"POD_NAMESPACE": "metadata.namespace", "POD_NAME": "metadata.name", "POD_ID": "metadata.name"}


def images(chart: Manifests) -> set[str]:
    return {each["image"] for _, pod in chart.pods() for each in pod["spec"]["containers"]}


def test_images_are_the_ones_of_the_values(chart: Manifests) -> None:
    assert images(chart) == {"turnout/operator:0.1.0", "envoyproxy/envoy:distroless-v1.40.0"}
    digest = "sha256:" + "a" * 64
    changed = render(operator__image__tag="abc", gateway__image__digest=digest)
    assert images(changed) == {"turnout/operator:abc", f"envoyproxy/envoy@{digest}"}


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_pods_go_where_the_values_say(component: str) -> None:
    wanted: dict[str, Any] = {
        "priorityClassName": "high",
        "nodeSelector": {"pool": "edge"},
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    }
    values = {f"{component}__{name}": value for name, value in wanted.items()}
    chart = render(imagePullSecrets=[{"name": "registry"}], **values)
    spec = chart.get("Deployment", f"turnout-{component}")["spec"]["template"]["spec"]
    assert {name: spec[name] for name in wanted} == wanted
    assert all(pod["spec"]["imagePullSecrets"] == [{"name": "registry"}] for _, pod in chart.pods())


def test_the_door_is_exposed_as_the_values_say() -> None:
    service = {"type": "NodePort", "port": 8000, "nodePort": 30080, "annotations": {"a": "b"}}
    door = render(gateway__service=service).get("Service", "turnout-gateway")
    (port,) = door["spec"]["ports"]
    assert (door["spec"]["type"], port["port"], port["nodePort"]) == ("NodePort", 8000, 30080)
    assert door["metadata"]["annotations"] == {"a": "b"}


@pytest.mark.parametrize("source", CRDS, ids=lambda path: path.stem)
def test_a_crd_renders_as_it_was_generated_and_is_kept(source: Path, chart: Manifests) -> None:
    wanted = yaml.safe_load(source.read_text())
    found = chart.get("CustomResourceDefinition", wanted["metadata"]["name"])
    assert found["spec"] == wanted["spec"]
    assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_crds_can_be_left_out() -> None:
    assert render(crds__install=False).kind("CustomResourceDefinition") == []
    assert not (CHART / "crds").exists()  # Helm would install those once and never upgrade them
