"""The manifests of one revision: ConfigMap and ServiceAccount, and what runs it.

Online that is a Service, a PodDisruptionBudget and a Deployment; in mode batch a Job or a CronJob.
"""

from typing import Any

import orjson

from turnout_operator.api.meta import API_VERSION
from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.drift import HASH_ANNOTATION
from turnout_operator.plan.job import cron_job, job
from turnout_operator.plan.log_config import ship_config
from turnout_operator.plan.places import GATEWAY_CA_FILE, HTTP_PORT, SHIP_FILE
from turnout_operator.plan.pod import pod_template
from turnout_operator.plan.revision import DEPLOYMENT_LABEL, MANAGED_BY, REVISION_LABEL, SPEC_KEY, Revision, digest
from turnout_operator.plan.runtime_config import runtime_config
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.volumes import gateway_ca_name

Manifest = dict[str, Any]


def manifests(
    md: ModelDeployment, revision: Revision, replicas: int, settings: PlanSettings, *, recorded: bool = False
) -> list[Manifest]:
    """All objects of an online `revision` in the order of dependence, owned by the ModelDeployment.

    `recorded`: its ConfigMap exists. That is immutable, so it is left out.
    """
    return [
        *_basis(md, revision, settings, recorded=recorded),
        _finish(md, revision, "v1", "Service", {"spec": _service(revision)}),
        _finish(md, revision, "policy/v1", "PodDisruptionBudget", {"spec": _disruption_budget(revision)}),
        _finish(md, revision, "apps/v1", "Deployment", {"spec": _deployment(revision, replicas, settings)}),
    ]


def batch_manifests(
    md: ModelDeployment, revision: Revision, settings: PlanSettings, *, recorded: bool, run: bool
) -> list[Manifest]:
    """All objects of a `revision` of mode batch. `run`: its Job is to be made; a CronJob is always there."""
    basis = _basis(md, revision, settings, recorded=recorded)
    if revision.spec.batch and revision.spec.batch.schedule:
        return [*basis, _finish(md, revision, "batch/v1", "CronJob", {"spec": cron_job(revision, settings)})]
    made = [_finish(md, revision, "batch/v1", "Job", {"spec": job(revision, settings)})] if run else []
    return [*basis, *made]


def gateway_ca(md: ModelDeployment, authorities: str) -> Manifest:
    """The ConfigMap by which pods know the gateways: the public part of their certificates' authority, PEM."""
    metadata = {
        "namespace": md.metadata.namespace,
        "name": gateway_ca_name(md.metadata.name),
        "labels": {**MANAGED_BY, DEPLOYMENT_LABEL: md.metadata.name},
    }
    return _owned(md, "v1", "ConfigMap", metadata, {"data": {GATEWAY_CA_FILE: authorities}})


def _basis(md: ModelDeployment, revision: Revision, settings: PlanSettings, *, recorded: bool) -> list[Manifest]:
    record = [] if recorded else [_finish(md, revision, "v1", "ConfigMap", config_map(revision, settings))]
    return [*record, _finish(md, revision, "v1", "ServiceAccount", {"automountServiceAccountToken": False})]


def config_map(revision: Revision, settings: PlanSettings) -> Manifest:
    """The immutable record of a revision, and the configuration of its pods."""
    spec = revision.spec.model_dump_json(by_alias=True, exclude_none=True)
    data = {SPEC_KEY: spec, "runtime.json": _json(runtime_config(revision, settings.drain_seconds))}
    shipped = {SHIP_FILE: _json(ship_config(revision))} if revision.spec.prediction_log.sinks else {}
    return {"immutable": True, "data": {**data, **shipped}}


def _json(config: Manifest) -> str:
    return orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()


def _finish(md: ModelDeployment, revision: Revision, version: str, kind: str, body: Manifest) -> Manifest:
    metadata = {"namespace": revision.namespace, "name": revision.name, "labels": revision.labels}
    return _owned(md, version, kind, metadata, body)


def _owned(md: ModelDeployment, version: str, kind: str, metadata: Manifest, body: Manifest) -> Manifest:
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "name": md.metadata.name,
        "uid": md.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {**metadata, "ownerReferences": [owner]}
    manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, **body}
    metadata["annotations"] = {HASH_ANNOTATION: digest(manifest)[:16]}
    return manifest


def _service(revision: Revision) -> Manifest:
    # Headless: the gateway balances over the endpoints itself, so no node needs rules for it.
    return {
        "clusterIP": "None",
        "selector": _selector(revision),
        "ports": [
            {
                "name": "http",
                "port": HTTP_PORT,
                "targetPort": "http",
                "protocol": "TCP",
                "appProtocol": "https" if revision.spec.guarded else "http",
            }
        ],
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
