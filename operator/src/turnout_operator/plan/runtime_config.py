"""The runtime's configuration file, from a revision's spec: units normalised to seconds and bytes."""

from typing import Any

from turnout_operator.api.model_deployment import FactSource, ModelDeploymentSpec
from turnout_operator.plan.revision import Revision

SOURCE_DIRECTORY = "/var/run/turnout/source"
LOG_DIRECTORY = "/var/log/turnout"
MOUNTED = ("configmap", "pvc")


def fact_url_env(fact: str) -> str:
    """The environment variable that carries a fact source's secret URL into the pod."""
    return f"TURNOUT_FACT_{fact.upper()}_URL"


def runtime_config(revision: Revision, drain_seconds: float) -> dict[str, Any]:
    """The content of `runtime.json`."""
    spec = revision.spec
    return {
        "namespace": revision.namespace,
        "modelDeployment": revision.deployment,
        "revision": revision.name,
        "bundle": _bundle(spec),
        "serving": _serving(spec, drain_seconds),
        "facts": {name: _fact(name, source) for name, source in spec.facts.items()},
        "predictionLog": {
            "directory": LOG_DIRECTORY,
            "maxFileBytes": spec.prediction_log.rotate.size.bytes,
            "maxFiles": spec.prediction_log.rotate.keep,
        },
    }


def _bundle(spec: ModelDeploymentSpec) -> dict[str, Any]:
    location = spec.bundle.location
    path = f"{SOURCE_DIRECTORY}/{location.path}" if location.scheme in MOUNTED else None
    return {"uri": spec.bundle.uri, "digest": spec.bundle.digest, "path": path}


def _serving(spec: ModelDeploymentSpec, drain_seconds: float) -> dict[str, Any]:
    serving = spec.serving
    return {
        "concurrency": serving.concurrency,
        "maxQueueDepth": serving.queue.max_depth,
        "maxQueueWaitSeconds": serving.queue.max_wait.seconds,
        "timeoutSeconds": serving.timeout.seconds,
        "drainSeconds": drain_seconds,
    }


def _fact(name: str, source: FactSource) -> dict[str, Any]:
    redis = {
        "url": source.redis.url,
        "urlFromEnv": fact_url_env(name) if source.redis.secret_ref else None,
        "keyPrefix": source.redis.key_prefix,
    }
    return {"redis": redis, "timeoutSeconds": source.timeout.seconds, "fallback": source.fallback}
