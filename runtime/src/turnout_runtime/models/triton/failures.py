"""What Triton's client raises, in the runtime's own words: callers read them, so the server's own go to the log."""

import logging
from typing import Any

from turnout_runtime.errors import ModelUnavailable, RequestTimeout
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.models")
_throttle = Throttle()
_GONE = ("StatusCode.UNAVAILABLE", "StatusCode.CANCELLED", "StatusCode.NOT_FOUND", "StatusCode.RESOURCE_EXHAUSTED")


class RowsRefused(Exception):
    """Triton or the model failed on these rows."""


def told(name: str, url: str, error: Any) -> Exception:
    """The error to raise for an `InferenceServerException`."""
    status, message = error.status(), error.message() or "no reason given"
    if status == "StatusCode.DEADLINE_EXCEEDED":
        return RequestTimeout(f"model {name!r}: Triton did not answer in the time left")
    if status not in _GONE:
        return RowsRefused(message)
    if _throttle.allows(name):
        _log.warning("Triton is not available", extra={"model": name, "url": url, "status": status, "answer": message})
    return ModelUnavailable(f"model {name!r}: its server is not available")


def lost_region(error: Any) -> bool:
    """Whether the server, started anew, does not know a shared memory region that it was told of."""
    return "shared memory region" in (error.message() or "")


def out_of_time(name: str) -> RequestTimeout:
    """What to raise for rows that have no time left to be sent."""
    return RequestTimeout(f"model {name!r}: no time was left to ask Triton")
