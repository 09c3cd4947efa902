"""How requests are admitted, bounded, batched and remembered."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from turnout_runtime.config.part import Entries, Part, Seconds, Timeout


class Budget(Part):
    """Parts of the request's time, in seconds; None leaves a stage the whole of what is left."""

    facts_seconds: Timeout | None = None
    inference_seconds: Timeout | None = None
    postprocess_seconds: Timeout | None = None


class Batching(Part):
    """How rows of different requests share a model run.

    `dynamic` runs when the model is free, with up to `max_size` rows, and holds a row up to `max_delay_seconds` for
    company; `fixed` waits for exactly `max_size` rows, or for the delay; `none` runs each row alone.
    """

    strategy: Literal["none", "fixed", "dynamic"] = "dynamic"
    max_size: Annotated[int, Field(ge=1, le=4096)] = 64
    max_delay_seconds: Seconds = 0.0


class AnswerCache(Part):
    """Answers remembered by the values of declared fields, such as `context.carrier` or `entity_id`."""

    ttl_seconds: Timeout
    key_fields: Annotated[list[str], Field(min_length=1, max_length=32)]
    max_entries: Entries = 10_000
    stale_if_error_seconds: Seconds = 0.0


class Idempotency(Part):
    """A request that is sent again under the same request_id within the window gets the first one's answer."""

    window_seconds: Timeout
    max_entries: Entries = 10_000


class Serving(Part):
    """Limits of one pod; times in seconds, sizes in bytes. With several processes the limits are of the whole pod."""

    concurrency: Annotated[int, Field(ge=1, le=1024)]
    max_queue_depth: Annotated[int, Field(ge=0)]
    max_queue_wait_seconds: Seconds
    timeout_seconds: Timeout
    drain_seconds: Seconds
    max_body_bytes: Annotated[int, Field(ge=1, le=64 * 1024**2)] = 1024**2
    budget: Budget = Budget()
    batching: Batching = Batching()
    cache: AnswerCache | None = None
    idempotency: Idempotency | None = None
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    access: Literal["any", "gateway"] = "any"
    gateway_ca: Path | None = None

    @model_validator(mode="after")
    def _time_is_left(self) -> "Serving":
        kept = self.budget.postprocess_seconds
        if kept is not None and kept >= self.timeout_seconds:
            raise ValueError("budget.postprocessSeconds is kept back from timeoutSeconds, and must be less")
        return self

    @model_validator(mode="after")
    def _gateway_needs_ca(self) -> "Serving":
        if (self.access == "gateway") != (self.gateway_ca is not None):
            raise ValueError("gatewayCa is needed for access: gateway, and only there")
        return self


_LONG = 3600.0


def unlimited(rows: int, batching: Batching | None = None) -> Serving:
    """Limits that nobody runs into, for work that no caller waits for: `rows` at once, an hour each."""
    limits = {"concurrency": rows, "maxQueueDepth": rows, "maxQueueWaitSeconds": _LONG, "timeoutSeconds": _LONG}
    shared = batching or Batching.model_validate({"maxSize": rows})
    return Serving.model_validate({**limits, "drainSeconds": 0, "batching": shared})
