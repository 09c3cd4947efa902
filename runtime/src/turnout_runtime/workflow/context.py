"""Everything a workflow knows about the request it answers."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from turnout_runtime.facts import Facts

_log = logging.getLogger("turnout.workflow")


@dataclass(frozen=True, slots=True)
class Request:
    """The caller's question. `context` is the business context as parsed from JSON; treat it as read-only."""

    request_id: str
    entity_id: str | None
    feature_refs: Mapping[str, Any]
    context: Mapping[str, Any]


class Context:
    """One request on its way through the stages."""

    __slots__ = ("_remaining", "arm", "facts", "policy_version", "request")

    def __init__(
        self,
        request: Request,
        facts: Facts,
        remaining: Callable[[], float],
        arm: str | None = None,
        policy_version: str | None = None,
    ) -> None:
        self.request = request
        self.facts = facts
        self.arm = arm
        self.policy_version = policy_version
        self._remaining = remaining

    def remaining(self) -> float:
        """Seconds left of the request's budget, never negative."""
        return max(0.0, self._remaining())

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that carries the request id; JSON lines on the pod's stderr."""
        return logging.LoggerAdapter(_log, {"request_id": self.request.request_id})
