"""Builders of API objects with overrides, for tests of the plans."""

from typing import Any

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy

DIGEST = "sha256:" + "a" * 64
NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T00:01:00Z"


def model_deployment(name: str = "m", status: dict[str, Any] | None = None, **spec: Any) -> ModelDeployment:
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": "ns", "uid": "u", "generation": 1},
            "spec": {"bundle": {"uri": "configmap://b", "digest": DIGEST}, **spec},
            "status": status,
        }
    )


def routing_policy(*arms: dict[str, Any], status: dict[str, Any] | None = None, **spec: Any) -> RoutingPolicy:
    return RoutingPolicy.model_validate(
        {
            "metadata": {"name": "p", "namespace": "ns", "uid": "u", "generation": 1},
            "spec": {"arms": list(arms), **spec},
            "status": status,
        }
    )


def arm(name: str, deployment: str, weight: float | None = None, **more: Any) -> dict[str, Any]:
    given = {} if weight is None else {"weight": float(weight)}
    return {"name": name, "modelDeployment": deployment, **given, **more}


def deployment(revision: str, ready: int, replicas: int | None = None) -> dict[str, Any]:
    wanted = ready if replicas is None else replicas
    return {
        "metadata": {"name": revision, "namespace": "ns", "generation": 1},
        "spec": {"replicas": wanted},
        "status": {
            "observedGeneration": 1,
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": ready,
        },
    }


def pod(
    ready: bool = False,
    waiting: dict[str, Any] | None = None,
    terminated: dict[str, Any] | None = None,
    unschedulable: str | None = None,
) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    if unschedulable:
        conditions.append(
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
        )
    container: dict[str, Any] = {"name": "runtime", "ready": ready, "state": {}, "lastState": {}}
    if waiting:
        container["state"] = {"waiting": waiting}
    if terminated:
        container["lastState"] = {"terminated": terminated}
    return {
        "metadata": {"name": "pod-1", "namespace": "ns"},
        "spec": {"nodeName": None if unschedulable else "n"},
        "status": {"conditions": conditions, "containerStatuses": [container]},
    }
