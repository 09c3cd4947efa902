"""What Triton's client raises, in the runtime's own words. Pure."""

from typing import Any

from turnout_runtime.errors import ModelUnavailable, RequestTimeout, TurnoutError

_GONE = ("StatusCode.UNAVAILABLE", "StatusCode.CANCELLED", "StatusCode.NOT_FOUND", "StatusCode.RESOURCE_EXHAUSTED")


def told(name: str, url: str, error: Any) -> Exception:
    """The error to raise for an `InferenceServerException`: one of the rows stays what it is, with a plain text."""
    status, message = error.status(), error.message() or "no reason given"
    if status == "StatusCode.DEADLINE_EXCEEDED":
        return RequestTimeout(f"model {name!r}: Triton at {url} did not answer in the time left")
    if status in _GONE:
        return ModelUnavailable(f"model {name!r}: Triton at {url} is not available: {message}")
    return RowsRefused(message)


def lost_region(error: Any) -> bool:
    """Whether the server, started anew, does not know a shared memory region that it was told of."""
    return "shared memory region" in (error.message() or "")


def out_of_time(name: str) -> TurnoutError:
    """What to raise for rows that have no time left to be sent."""
    return RequestTimeout(f"model {name!r}: no time was left to ask Triton")


class RowsRefused(Exception):
    """Triton or the model failed on these rows."""
