"""The cluster, the images and the chart: what has to run before an example can."""

import json
from collections.abc import Callable

from demo.shell import CLUSTER, ROOT, CommandFailed, follow, kubectl, run

RELEASE = NAMESPACE = "turnout"
SYSTEM = "turnout-system"
NODE_PORT = 30080
Progress = Callable[[str], None]


def cluster_up(progress: Progress) -> str:
    """Start the local cluster unless it runs, with kubectl and helm; says which Kubernetes it is."""
    for target in ("cluster-up", "tools"):
        follow(progress, "make", "-s", target)
    version = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    nodes = kubectl("get", "nodes", "-o", "name").split()
    return f"Kubernetes {version}, {len(nodes)} node{'s' if len(nodes) > 1 else ''}"


def build_images(progress: Progress) -> str:
    """Build what changed and load it into the cluster."""
    follow(progress, "make", "-s", "images")
    return ", ".join(images())


def images() -> dict[str, str]:
    """Image references by part: operator, runtime, gateway, redis."""
    found: dict[str, str] = json.loads((CLUSTER / "images.json").read_text())
    return found


def install_chart() -> str:
    """Install or upgrade the chart and wait until all of it is ready."""
    chart = str(ROOT / "charts" / "turnout")
    settings = [text for key, value in chart_values().items() for text in (_flag(key), f"{key}={value}")]
    # CRDs stay after an uninstall, and kubectl may have applied them before: the release takes them over.
    how = ("--create-namespace", "--take-ownership", "--force-conflicts", "--wait", "--timeout", "3m")
    run("helm", "upgrade", "--install", RELEASE, chart, "-n", SYSTEM, *how, *settings)
    ready = "{range .items[*]}{.status.readyReplicas} {.metadata.name}, {end}"
    return kubectl("get", "deployments", "-n", SYSTEM, "-o", f"jsonpath={ready}").rstrip(", ")


def chart_values() -> dict[str, str]:
    """The images just built, a gateway that the host can reach, and conditions of the log within seconds."""
    values = {"gateway.service.type": "NodePort", "gateway.service.nodePort": str(NODE_PORT)}
    values["operator.scrapeSeconds"] = "3"
    for part, reference in images().items():
        if part != "redis":
            repository, _, tag = reference.rpartition(":")
            values |= {f"{part}.image.repository": repository, f"{part}.image.tag": tag}
    return values


def _flag(key: str) -> str:
    # A tag of digits only would be read as a number.
    return "--set-string" if key.endswith(".tag") else "--set"


def gateway_url() -> str:
    """Where the host reaches the gateway."""
    return (CLUSTER / "gateway-url").read_text().strip()


def cluster_down(progress: Progress) -> str:
    """Stop the local cluster; nothing happens when there is none."""
    follow(progress, "make", "-s", "cluster-down")
    return "removed"


def is_up() -> bool:
    """Whether a local cluster answers."""
    try:
        kubectl("get", "--raw", "/readyz", "--request-timeout=5s")
    except CommandFailed:
        return False
    return True


def remove(namespace: str) -> str:
    """Take the example and the chart out of the cluster, example first so that the operator cleans up after it."""
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout", "60s")
    run("helm", "uninstall", RELEASE, "-n", SYSTEM, "--ignore-not-found", "--wait")
    kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout", "60s")
    return "removed"
