"""The objects of the benchmark: ModelDeployments whose pods go to fake nodes, RoutingPolicies over two of them each."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
API = "serving.turnout.dev/v1alpha1"
LABEL = "turnout.dev/bench"
NAMESPACE = "turnout-bench"
SYSTEM = "turnout-bench-system"
NODES = 4
PODS_PER_NODE = 1000
RUNTIME_IMAGE = "turnout/runtime:bench"


def model_deployment(number: int) -> Object:
    """One ModelDeployment of a plausible size; its pods run on fake nodes only."""
    return {
        "apiVersion": API,
        "kind": "ModelDeployment",
        "metadata": {"name": deployment_name(number), "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "bundle": {"uri": "https://models.test/flight-delay.tar.gz", "digest": f"sha256:{number:064x}"},
            "runtime": {
                "nodeSelector": {LABEL: "fake"},
                "tolerations": [{"key": LABEL, "operator": "Exists"}],
                "env": [{"name": "REGION", "value": "test"}],
            },
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
            "facts": {"weather": {"redis": {"url": "redis://facts.test:6379/0", "keyPrefix": "weather:"}}},
        },
    }


def routing_policy(number: int, count: int) -> Object:
    """One RoutingPolicy: this ModelDeployment and the next one of `count`."""
    return {
        "apiVersion": API,
        "kind": "RoutingPolicy",
        "metadata": {"name": policy_name(number), "namespace": NAMESPACE},
        "spec": {"stickyBy": {"header": "x-entity-id"}, "arms": arms(number, count, 10)},
    }


def arms(number: int, count: int, challenger: int) -> list[Object]:
    """The arms of a policy with `challenger` percent on the second."""
    return [
        {"name": "main", "modelDeployment": deployment_name(number), "weight": 100 - challenger},
        {"name": "challenger", "modelDeployment": deployment_name((number + 1) % count), "weight": challenger},
    ]


def deployment_name(number: int) -> str:
    return f"md-{number:04d}"


def policy_name(number: int) -> str:
    return f"rp-{number:04d}"


def nodes() -> Iterator[Object]:
    """Nodes that KWOK plays, tainted so that nothing else lands there."""
    room = {"cpu": "1000", "memory": "1000Gi", "pods": str(PODS_PER_NODE)}
    for number in range(NODES):
        name = f"turnout-bench-{number}"
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {LABEL: "fake", "kubernetes.io/hostname": name}},
            "spec": {"taints": [{"key": LABEL, "value": "fake", "effect": "NoSchedule"}]},
            "status": {"allocatable": room, "capacity": room},
        }


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: "true"}}}
