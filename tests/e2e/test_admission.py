"""The API server is the judge of the CRDs: what it accepts, completes, refuses, and how kubectl shows it.

Nearly all of it is a dry run; one namespace holds the two objects that are listed and scaled.
"""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config

from turnout_operator.api.manifest import KINDS

ROOT = Path(__file__).parents[2]
CASES = yaml.safe_load((ROOT / "tests" / "e2e" / "admission_cases.yaml").read_text())
MODELS = {kind.NAMES.kind: kind for kind in KINDS}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment that `.cluster/env` sets up."""
    if not (ROOT / ".cluster" / "env").exists():
        pytest.fail("no cluster is up: run `make cluster-up` first")
    shell = subprocess.run(
        ["bash", "-c", ". .cluster/env && env -0"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)


@pytest.fixture(scope="session")
def kubectl(environment: dict[str, str]) -> Run:
    """kubectl on the test cluster, with the CRDs of the checkout."""

    def run(*arguments: str, document: Any = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        text = None if document is None else yaml.safe_dump(document)
        done = subprocess.run(["kubectl", *arguments], input=text, env=environment, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    run("apply", "--server-side", "--force-conflicts", "--field-manager=turnout-crds", "-f", str(ROOT / "crds"))
    names = [f"crd/{kind.NAMES.plural}.serving.turnout.dev" for kind in KINDS]
    run("wait", "--for=condition=Established", "--timeout=30s", *names)
    run("api-resources", "--cached=false")  # else kubectl believes what an earlier cluster at this address served
    return run


@pytest.fixture(scope="module")
def namespace(kubectl: Run) -> Iterator[str]:
    """A namespace that holds one stored object of each kind, called `case`."""
    name = f"admission-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    for case in ("md-minimal", "rp-rest-to-one"):
        kubectl("apply", "-n", name, "-f", "-", document=CASES["accepted"][case])
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def apply(kubectl: Run, document: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return kubectl("apply", "--dry-run=server", *arguments, "-f", "-", document=document, check=False)


def test_schemas_are_structural(kubectl: Run) -> None:
    for kind in KINDS:
        crd = json.loads(kubectl("get", "crd", f"{kind.NAMES.plural}.serving.turnout.dev", "-o", "json").stdout)
        conditions = {entry["type"]: entry["status"] for entry in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("name", CASES["accepted"])
def test_accepted(kubectl: Run, name: str) -> None:
    """Accepted, and with the server's defaults still the object that the models read without them."""
    document = CASES["accepted"][name]
    done = apply(kubectl, document, "-o", "json")
    assert done.returncode == 0, done.stderr
    kind = MODELS[document["kind"]]
    assert kind.model_validate(json.loads(done.stdout)).spec == kind.model_validate(document).spec


@pytest.mark.parametrize("name", CASES["accepted"])
def test_what_the_models_write_is_accepted(kubectl: Run, name: str) -> None:
    document = CASES["accepted"][name]
    written = MODELS[document["kind"]].model_validate(document).model_dump(mode="json", exclude_none=True)
    done = apply(kubectl, document | {"spec": written["spec"]})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", CASES["refused"])
def test_refused(kubectl: Run, name: str) -> None:
    case = CASES["refused"][name]
    done = apply(kubectl, case["object"])
    assert done.returncode != 0
    assert case["refused"] in done.stderr


def test_unknown_field_is_refused_by_server_side_apply_too(kubectl: Run) -> None:
    done = apply(kubectl, CASES["refused"]["md-unknown-field"]["object"], "--server-side")
    assert done.returncode != 0
    assert "spec.replica: field not declared in schema" in done.stderr


def test_defaults(kubectl: Run) -> None:
    spec = json.loads(apply(kubectl, CASES["accepted"]["md-minimal"], "-o", "json").stdout)["spec"]
    del spec["bundle"]
    assert spec == {
        "mode": "online",
        "replicas": 1,
        "runtime": {"imagePullPolicy": "IfNotPresent"},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "serving": {
            "concurrency": 8,
            "queue": {"maxDepth": 64, "maxWait": "50ms"},
            "timeout": "1s",
            "maxBodySize": "1Mi",
            "processes": 1,
            "access": "Any",
        },
        "predictionLog": {
            "enabled": True,
            "rotate": {"size": "64Mi", "keep": 8, "age": "60s"},
            "whenFull": "DropOldest",
            "sample": "100%",
        },
        "revisionHistory": 5,
    }


def test_defaults_inside_a_map(kubectl: Run) -> None:
    spec = json.loads(apply(kubectl, CASES["accepted"]["md-full"], "-o", "json").stdout)["spec"]
    assert spec["facts"]["plane"]["timeout"] == "20ms"
    assert spec["facts"]["weather"]["fallback"] == {"wind": 3.5, "nested": {"any": [1, None]}}


def explain(kubectl: Run, path: str) -> str:
    """`kubectl explain`, which learns of a new CRD a little later than the API does."""
    for _ in range(50):
        done = kubectl("explain", path, check=False)
        if done.returncode == 0:
            return " ".join(done.stdout.split())
        time.sleep(0.2)
    raise AssertionError(done.stderr)


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("md", ["A workflow with its model, run as pods", "spec <Object> -required-"]),
        ("md.spec", ["a change starts a new one, and the one before it serves until the new one is ready"]),
        ("md.spec.bundle", ["digest <string> -required-", "as `turnout bundle digest` prints it"]),
        (
            "md.spec.serving",
            ["concurrency <integer>", "1 to 1024. Default: 8.", "answered 504. Default: 1s."],
        ),
        ("md.spec.resources.requests.cpu", ["a quantity such as 500m or 2. Default: 100m."]),
        ("md.spec.runtime.imagePullPolicy", ["ENUM: Always IfNotPresent Never"]),
        ("rp.spec.arms.weight", ["<number>", "one arm may leave its weight out and takes the rest"]),
        ("rp.spec.stickyBy", ["Exactly one of header, cookie and bodyField is given"]),
    ],
)
def test_explain(kubectl: Run, path: str, texts: list[str]) -> None:
    shown = explain(kubectl, path)
    for text in texts:
        assert text in shown


def test_short_names_and_category_list_both_kinds(kubectl: Run, namespace: str) -> None:
    for names in ("md,rp", "turnout"):
        shown = kubectl("get", names, "-n", namespace).stdout
        assert "modeldeployment.serving.turnout.dev/case" in shown
        assert "routingpolicy.serving.turnout.dev/case" in shown


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("md", ["NAME", "REVISION", "READY", "REASON", "REPLICAS", "GPU", "AGE"]),
        ("rp", ["NAME", "OBJECTIVE", "WEIGHTS", "READY", "REASON", "POLICY-VERSION", "GATEWAYS", "AGE"]),
    ],
)
def test_columns(kubectl: Run, namespace: str, kind: str, columns: list[str]) -> None:
    assert kubectl("get", kind, "-n", namespace).stdout.splitlines()[0].split() == columns


CONDITION = {"type": "Ready", "status": "False", "reason": "Progressing", "lastTransitionTime": "2026-01-02T03:04:05Z"}
STATUSES = {
    "modeldeployments": (
        {
            "conditions": [CONDITION],
            "latestReadyRevision": "case-1a2b3c4d",
            "readyReplicas": 2,
            "gpu": 1,
            "revisions": [{"name": "case-1a2b3c4d", "phase": "Ready", "createdAt": "2026-01-02T03:04:05.678Z"}],
            "lastFailure": {"reason": "DigestMismatch", "message": "m", "time": "2026-01-02T03:04:05Z"},
        },
        {"Revision": "case-1a2b3c4d", "Ready": "False", "Reason": "Progressing", "Replicas": 2, "GPU": 1},
    ),
    "routingpolicies": (
        {
            "conditions": [CONDITION],
            "objective": "case",
            "weights": "main=87.75→90 next=12.25→10",
            "policyVersion": "1a2b3c4d5e6f",
            "gateways": {"connected": 2, "acked": 1},
            "arms": [{"name": "main", "modelDeployment": "a", "desiredWeight": 87.75, "observedWeight": 90.0}],
        },
        {
            "Objective": "case",
            "Weights": "main=87.75→90 next=12.25→10",
            "Ready": "False",
            "Reason": "Progressing",
            "Policy-Version": "1a2b3c4d5e6f",
            "Gateways": 1,
            "Connected": 2,
        },
    ),
}


@pytest.mark.parametrize("plural", STATUSES)
def test_columns_show_the_status(environment: dict[str, str], namespace: str, plural: str) -> None:
    """A dry-run patch of the status answered as a table, so that a running operator cannot interfere."""
    status, cells = STATUSES[plural]
    api = config.new_client_from_config(environment["KUBECONFIG"])
    path = f"/apis/serving.turnout.dev/v1alpha1/namespaces/{namespace}/{plural}/case/status?dryRun=All"
    headers = {
        "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
        "Content-Type": "application/merge-patch+json",
    }
    table = json.loads(api.call_api("PATCH", api.configuration.host + path, headers, {"status": status}).read())
    names = [column["name"] for column in table["columnDefinitions"]]
    shown = dict(zip(names, table["rows"][0]["cells"], strict=True))
    assert cells.items() <= shown.items()


def test_the_mode_of_an_object_stays(kubectl: Run, namespace: str) -> None:
    change = {"spec": {"mode": "batch", "batch": CASES["parts"]["batch"]}}
    patch = ("patch", "md/case", "-n", namespace, "--type=merge", "--dry-run=server", "-p", json.dumps(change))
    refused = kubectl(*patch, check=False)
    assert "spec.mode cannot change: make another ModelDeployment" in refused.stderr


def test_scale(kubectl: Run, namespace: str) -> None:
    kubectl("scale", "md/case", "-n", namespace, "--replicas=0")
    assert kubectl("get", "md/case", "-n", namespace, "-o", "jsonpath={.spec.replicas}").stdout == "0"
    refused = kubectl("scale", "md/case", "-n", namespace, "--replicas=1001", check=False)
    assert "should be less than or equal to 1000" in refused.stderr


def test_patch_of_a_weight(kubectl: Run, namespace: str) -> None:
    """Arms merge by name, so that one weight is changed without the others being repeated."""
    patch = {**CASES["accepted"]["rp-rest-to-one"], "spec": {"arms": [{"name": "next", "weight": 20}]}}
    done = kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=someone", "--dry-run=server",
        "-n", namespace, "-o", "json", "-f", "-", document=patch,
    )  # fmt: skip
    arms = {arm["name"]: arm for arm in json.loads(done.stdout)["spec"]["arms"]}
    assert arms["next"]["weight"] == 20
    assert arms["main"] == {"name": "main", "modelDeployment": "a"}
