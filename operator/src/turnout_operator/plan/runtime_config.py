"""The runtime's configuration file, from a revision's spec: units normalised to seconds and bytes.

What is not asked for is left out: a runtime of an older version, pinned by a spec, refuses fields that it doesn't know.
"""

from typing import Any

from turnout_operator.api.batch import Batch, Snapshot
from turnout_operator.api.model_deployment import ModelDeploymentSpec
from turnout_operator.api.serving import Serving
from turnout_operator.plan.fact_config import fact_config
from turnout_operator.plan.log_config import log_config
from turnout_operator.plan.places import (
    GATEWAY_CA_DIRECTORY,
    GATEWAY_CA_FILE,
    TRITON_PORT,
    data_path,
    mounted_bundle,
)
from turnout_operator.plan.revision import Revision

Json = dict[str, Any]


def runtime_config(revision: Revision, drain_seconds: float) -> Json:
    """The content of `runtime.json`."""
    spec = revision.spec
    return {
        "namespace": revision.namespace,
        "modelDeployment": revision.deployment,
        "revision": revision.name,
        "bundle": {"uri": spec.bundle.uri, "digest": spec.bundle.digest, "path": mounted_bundle(spec.bundle.location)},
        "serving": {**_limits(spec.serving, drain_seconds), **_more_serving(spec)},
        "facts": {name: fact_config(name, source) for name, source in spec.facts.items()},
        "predictionLog": log_config(spec.prediction_log),
        **_more(spec),
    }


def _limits(serving: Serving, drain_seconds: float) -> Json:
    return {
        "concurrency": serving.concurrency,
        "maxQueueDepth": serving.queue.max_depth,
        "maxQueueWaitSeconds": serving.queue.max_wait.seconds,
        "timeoutSeconds": serving.timeout.seconds,
        "drainSeconds": drain_seconds,
    }


def _more_serving(spec: ModelDeploymentSpec) -> Json:
    serving, plain = spec.serving, Serving()
    more: Json = {"budget": _budget(serving), "cache": _cache(serving)}
    if batching := serving.batching:
        more["batching"] = {
            "strategy": batching.strategy,
            "maxSize": batching.max_size,
            "maxDelaySeconds": batching.max_delay.seconds,
        }
    if idempotency := serving.idempotency:
        more["idempotency"] = {"windowSeconds": idempotency.window.seconds, "maxEntries": idempotency.max_entries}
    if serving.max_body_size.bytes != plain.max_body_size.bytes:
        more["maxBodyBytes"] = serving.max_body_size.bytes
    if serving.processes != plain.processes:
        more["processes"] = serving.processes
    if spec.guarded:
        more |= {"access": "gateway", "gatewayCa": f"{GATEWAY_CA_DIRECTORY}/{GATEWAY_CA_FILE}"}
    return _given(more)


def _budget(serving: Serving) -> Json | None:
    budget = serving.budget
    if budget is None:
        return None
    parts = {"facts": budget.facts, "inference": budget.inference, "postprocess": budget.postprocess}
    return {f"{stage}Seconds": part.seconds for stage, part in parts.items() if part} or None


def _cache(serving: Serving) -> Json | None:
    cache = serving.cache
    if cache is None:
        return None
    return {
        "ttlSeconds": cache.ttl.seconds,
        "keyFields": list(cache.key_fields),
        "maxEntries": cache.max_entries,
        "staleIfErrorSeconds": cache.stale_if_error.seconds,
    }


def _more(spec: ModelDeploymentSpec) -> Json:
    more: Json = {}
    if spec.model_server:
        triton = spec.model_server.triton
        url = {"url": f"127.0.0.1:{TRITON_PORT}"}
        more["modelServer"] = {"triton": url | ({"sharedMemory": True} if triton.shared_memory else {})}
    if spec.requires:
        more["requires"] = {"card": dict(spec.requires.card)}
    if spec.batch:
        more |= {"mode": "batch", "batch": _batch(spec.batch)}
    return more


def _batch(batch: Batch) -> Json:
    columns = batch.columns
    named = {
        "timeColumn": columns and columns.time,
        "entityIdColumn": columns and columns.entity_id,
        "requestIdColumn": columns and columns.request_id,
    }
    return _given(
        {
            "input": data_path(batch.input),
            "output": data_path(batch.output),
            "format": batch.format,
            **named,
            "facts": {name: _snapshot(snapshot) for name, snapshot in batch.facts.items()} or None,
            "shards": batch.shards,
            "processes": batch.processes,
            "rowsPerPart": batch.rows_per_part,
        }
    )


def _snapshot(snapshot: Snapshot) -> Json:
    return _given(
        {
            "uri": data_path(snapshot.uri),
            "keyColumn": snapshot.key_column,
            "timeColumn": snapshot.time_column,
            "maxAgeSeconds": snapshot.max_age.seconds if snapshot.max_age else None,
        }
    )


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
