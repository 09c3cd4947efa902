"""What a pod serves, and how much it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnout_runtime.config import RuntimeConfig


@dataclass(frozen=True, slots=True)
class Served:
    """Names as callers know them; `max_body` in bytes; `logged` are the headers that records have."""

    namespace: str
    model_deployment: str
    revision: str
    max_body: int
    concurrency: int
    logged: Sequence[str] = ()


def served(config: RuntimeConfig) -> Served:
    """The part of the configuration that the doors need."""
    serving, log = config.serving, config.prediction_log
    return Served(
        config.namespace,
        config.model_deployment,
        config.revision,
        serving.max_body_bytes,
        serving.concurrency,
        tuple(log.headers) if log.enabled else (),
    )
