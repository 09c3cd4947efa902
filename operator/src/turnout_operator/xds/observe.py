"""What the Envoys have confirmed, and telling the operator when that changes."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from turnout_operator.plan.routes import PolicyKey


@dataclass(frozen=True, slots=True)
class Observation:
    """How many Envoys are connected, how many of them route by `version`, and the errors of those that refused it.

    `version` is that of the policy's current route, None if it has none; `nacks` is keyed by node id; `waiting` are
    clusters whose first endpoint an Envoy waits for, keeping the policy's previous route meanwhile.
    """

    connected: int
    acked: int
    nacks: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    waiting: tuple[str, ...] = ()


@dataclass(slots=True)
class Traffic:
    """What was sent to all Envoys and refused by them since the start; bytes are those of resources and envelopes."""

    responses: int = 0
    resources: int = 0
    sent_bytes: int = 0
    nacks: int = 0


class Notifier:
    """Calls `on_change` once for each key per turn of the event loop, however often it is noted."""

    def __init__(self, on_change: Callable[[PolicyKey], None]) -> None:
        self._on_change = on_change
        self._keys: set[PolicyKey] = set()

    def note(self, keys: Iterable[PolicyKey]) -> None:
        """These policies' observations changed."""
        idle = not self._keys
        self._keys.update(keys)
        if idle and self._keys:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        keys, self._keys = self._keys, set()
        for key in keys:
            self._on_change(key)
