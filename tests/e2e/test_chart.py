"""The chart on the real cluster: accepted strictly, restricted, upgraded with its CRDs, and drained without a loss."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from demo.shell import CommandFailed, environment, kubectl, run
from demo.system import RELEASE, SYSTEM
from tests.chart.rendering import CHART, Manifests, render
from tests.e2e.support.kube import Namespace
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.openapi import write_schemas
from tests.e2e.support.traffic import Traffic


@pytest.fixture(scope="module")
def restricted() -> Iterator[str]:
    """A namespace that refuses pods which are not restricted, and warns of their templates."""
    name = f"chart-{uuid.uuid4().hex[:8]}"
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": levels}}
    kubectl("apply", "-f", "-", stdin=json.dumps(namespace).encode())
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def dry_run(chart: Manifests) -> "subprocess.CompletedProcess[str]":
    """What the API server would say to all objects of the chart."""
    strict = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--field-manager=helm")
    text = yaml.safe_dump_all(chart.all)
    command = ["kubectl", "apply", *strict, "-f", "-"]
    return subprocess.run(command, input=text, env=environment(), capture_output=True, text=True)


def test_the_api_server_accepts_every_object_without_a_warning(restricted: str) -> None:
    chart = render(restricted, imagePullSecrets=[{"name": "registry"}])
    done = dry_run(chart)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(chart.all)
    assert done.stderr == ""


def test_the_api_server_would_have_seen_a_misspelt_field_and_an_unrestricted_pod(restricted: str) -> None:
    misspelt, privileged = render(restricted), render(restricted)
    misspelt.get("Deployment", "turnout-gateway")["spec"]["replica"] = 1
    assert ".spec.replica: field not declared in schema" in dry_run(misspelt).stderr
    privileged.get("Pod", "turnout-test")["spec"]["containers"][0]["securityContext"] = {}
    assert 'violates PodSecurity "restricted' in dry_run(privileged).stderr


def test_kubeconform_agrees(tmp_path: Path) -> None:
    chart = render()
    versions = {each["apiVersion"] for each in chart.all}
    location = write_schemas(tmp_path, versions)
    command = ("kubeconform", "-strict", "-summary", "-schema-location", location)
    text = yaml.safe_dump_all(chart.all).encode()
    assert f"{len(chart.all)} resources found parsing stdin - Valid: {len(chart.all)}" in run(*command, stdin=text)
    chart.get("Service", "turnout-gateway")["spec"]["prots"] = []
    with pytest.raises(CommandFailed, match="prots"):
        run(*command, stdin=yaml.safe_dump_all(chart.all).encode())


def test_the_charts_own_test_passes(gateway: str) -> None:
    answer = run("helm", "test", RELEASE, "-n", SYSTEM, "--logs", "--timeout", "2m")
    assert "Phase:          Succeeded" in answer
    assert "/no-such-objective/predict: 404" in answer


def test_the_operator_has_every_right_that_it_asked_for(gateway: str) -> None:
    logs = kubectl("logs", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator", "--tail=-1")
    assert "synced" in logs
    assert "orbidden" not in logs


@pytest.mark.parametrize(
    ("role", "verb", "allowed"),
    [("edit", "patch", "yes"), ("edit", "delete", "yes"), ("view", "list", "yes"), ("view", "patch", "no")],
)
def test_built_in_roles_cover_both_kinds(role: str, verb: str, allowed: str, gateway: str, restricted: str) -> None:
    binding = f"{role}-binding"
    existing = kubectl("get", "rolebinding", "-n", restricted, "-o", "name")
    if binding not in existing:
        kubectl("create", "rolebinding", binding, "-n", restricted, f"--clusterrole={role}", f"--user={role}-user")
    for kind in ("modeldeployments", "routingpolicies"):
        asked = ("auth", "can-i", verb, f"{kind}.serving.turnout.dev", "-n", restricted, f"--as={role}-user")
        assert can_i(*asked) == allowed


def can_i(*arguments: str) -> str:
    """kubectl exits 1 for a no."""
    try:
        return kubectl(*arguments).strip()
    except CommandFailed as refusal:
        return str(refusal).splitlines()[-1].strip()


@pytest.fixture
def crds_only(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A chart of the CRDs' template alone, with a CRD of a group of the test's own: (chart, the CRD's name)."""
    group = f"t{uuid.uuid4().hex[:8]}.turnout.dev"
    chart = tmp_path / "crds-only"
    (chart / "templates").mkdir(parents=True)
    (chart / "files/crds").mkdir(parents=True)
    for name in ("Chart.yaml", "templates/_helpers.tpl", "templates/crds.yaml"):
        (chart / name).write_text((CHART / name).read_text())
    (chart / "values.yaml").write_text("crds: {install: true}\n")
    source = (CHART / "files/crds/routingpolicies.yaml").read_text()
    (chart / "files/crds/routingpolicies.yaml").write_text(source.replace("serving.turnout.dev", group))
    name = f"routingpolicies.{group}"
    yield chart, name
    kubectl("delete", "crd", name, "--ignore-not-found")


def add_column(chart: Path) -> None:
    """As a new version of the chart would: one more printer column in the CRD."""
    file = chart / "files/crds/routingpolicies.yaml"
    crd = yaml.safe_load(file.read_text())
    column = {"name": "Extra", "type": "string", "jsonPath": ".spec.objective"}
    crd["spec"]["versions"][0]["additionalPrinterColumns"].append(column)
    file.write_text(yaml.safe_dump(crd))


def test_an_upgrade_upgrades_the_crds_and_an_uninstall_keeps_them(crds_only: tuple[Path, str], restricted: str) -> None:
    chart, name = crds_only

    def helm(*arguments: str) -> None:
        run("helm", *arguments, "-n", restricted)

    def columns() -> list[str]:
        version = json.loads(kubectl("get", "crd", name, "-o", "json"))["spec"]["versions"][0]
        return [column["name"] for column in version["additionalPrinterColumns"]]

    helm("install", "crds", str(chart))
    before = columns()
    add_column(chart)
    helm("upgrade", "crds", str(chart))
    assert columns() == [*before, "Extra"]
    helm("uninstall", "crds")
    assert columns() == [*before, "Extra"]
    helm("install", "crds", str(chart))  # the same release takes over what it left


def test_a_gateway_restart_loses_no_request(namespace: Namespace, gateway: str, bundles) -> None:
    namespace.apply(model_deployment("echo", bundles["echo"][1]), routing_policy("echo", arm("main", "echo")))
    namespace.wait_ready("md", "echo")
    namespace.wait_ready("rp", "echo")
    before = gateway_pods()
    with Traffic(f"{gateway}/v1/{namespace.name}/echo/predict", clients=8) as traffic:
        kubectl("rollout", "restart", "deployment/turnout-gateway", "-n", SYSTEM)
        kubectl("rollout", "status", "deployment/turnout-gateway", "-n", SYSTEM, "--timeout=120s")
        kubectl("wait", "--for=delete", *before, "-n", SYSTEM, "--timeout=60s")
    assert traffic.tally.failures == []
    assert traffic.tally.total > 500
    assert not set(before) & set(gateway_pods())


def gateway_pods() -> list[str]:
    selector = "app.kubernetes.io/component=gateway"
    return kubectl("get", "pods", "-n", SYSTEM, "-l", selector, "-o", "name").split()
