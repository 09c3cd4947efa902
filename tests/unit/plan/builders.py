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


def batch_deployment(status: dict[str, Any] | None = None, **batch: Any) -> ModelDeployment:
    given = {"input": "pvc://data/in.parquet", "output": "pvc://data/out/", **batch}
    return model_deployment(status=status, mode="batch", batch=given)


def job(
    name: str, completions: int = 1, done: str = "", failed: str = "", active: int = 0, over: str = "", reason: str = ""
) -> dict[str, Any]:
    """A Job; `over` is Complete or Failed, with `reason`."""
    status: dict[str, Any] = {"startTime": NOW, "succeeded": len(done.split(",")) if done else 0, "active": active}
    status |= {"completedIndexes": done, "failedIndexes": failed, "failed": len(failed.split(",")) if failed else 0}
    if over:
        said = {"status": "True", "reason": reason, "message": "the Job is over", "lastTransitionTime": LATER}
        status["conditions"] = [{"type": over, **said}]
    if over == "Complete":
        status["completionTime"] = LATER
    meta = {"name": name, "namespace": "ns", "creationTimestamp": NOW}
    return {"metadata": meta, "spec": {"completions": completions}, "status": status}


def index_pod(job_name: str, index: int, created: str = NOW, **more: Any) -> dict[str, Any]:
    made = pod(**more)
    labels = {"batch.kubernetes.io/job-name": job_name, "batch.kubernetes.io/job-completion-index": str(index)}
    made["metadata"] |= {"labels": labels, "creationTimestamp": created}
    return made


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
