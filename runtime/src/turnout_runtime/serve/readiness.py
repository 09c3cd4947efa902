"""What the pod can say of itself."""

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """A pod's life, in this order."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    """Out of the endpoints, while requests still come from who has not heard of it."""
    CLOSING = "closing"
    """Only what runs is finished."""


@dataclass(slots=True)
class Readiness:
    """The current phase, shared by the two servers."""

    phase: Phase = Phase.STARTING
