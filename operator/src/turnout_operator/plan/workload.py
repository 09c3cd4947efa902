"""The manifests of one revision: ConfigMap, ServiceAccount, Service, PodDisruptionBudget, Deployment."""

from typing import Any

import orjson

from turnout_operator.api.meta import API_VERSION
from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.drift import HASH_ANNOTATION
from turnout_operator.plan.pod import HTTP_PORT, pod_template
from turnout_operator.plan.revision import REVISION_LABEL, SPEC_KEY, Revision, digest
from turnout_operator.plan.runtime_config import runtime_config
from turnout_operator.plan.settings import PlanSettings

Manifest = dict[str, Any]


def manifests(
    md: ModelDeployment, revision: Revision, replicas: int, settings: PlanSettings, *, recorded: bool = False
) -> list[Manifest]:
    """All objects of `revision` in the order of dependence, owned by the ModelDeployment.

    `recorded`: its ConfigMap exists. That is immutable, so it is left out.
    """
    record = [] if recorded else [_finish(md, revision, "v1", "ConfigMap", config_map(revision, settings))]
    return [
        *record,
        _finish(md, revision, "v1", "ServiceAccount", {"automountServiceAccountToken": False}),
        _finish(md, revision, "v1", "Service", {"spec": _service(revision)}),
        _finish(md, revision, "policy/v1", "PodDisruptionBudget", {"spec": _disruption_budget(revision)}),
        _finish(md, revision, "apps/v1", "Deployment", {"spec": _deployment(revision, replicas, settings)}),
    ]


def config_map(revision: Revision, settings: PlanSettings) -> Manifest:
    """The immutable record of a revision, and the configuration of its pods."""
    spec = revision.spec.model_dump_json(by_alias=True, exclude_none=True)
    config = orjson.dumps(runtime_config(revision, settings.drain_seconds), option=orjson.OPT_INDENT_2).decode()
    return {"immutable": True, "data": {SPEC_KEY: spec, "runtime.json": config}}


def _finish(md: ModelDeployment, revision: Revision, version: str, kind: str, body: Manifest) -> Manifest:
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "name": md.metadata.name,
        "uid": md.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        "namespace": revision.namespace,
        "name": revision.name,
        "labels": revision.labels,
        "ownerReferences": [owner],
    }
    manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, **body}
    metadata["annotations"] = {HASH_ANNOTATION: digest(manifest)[:16]}
    return manifest


def _service(revision: Revision) -> Manifest:
    # Headless: the gateway balances over the endpoints itself, so no node needs rules for it.
    return {
        "clusterIP": "None",
        "selector": _selector(revision),
        "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}],
    }


def _disruption_budget(revision: Revision) -> Manifest:
    return {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": _selector(revision)},
    }


def _deployment(revision: Revision, replicas: int, settings: PlanSettings) -> Manifest:
    return {
        "replicas": replicas,
        "revisionHistoryLimit": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": _selector(revision)},
        "template": pod_template(revision, settings),
    }


def _selector(revision: Revision) -> dict[str, str]:
    return {REVISION_LABEL: revision.name}
