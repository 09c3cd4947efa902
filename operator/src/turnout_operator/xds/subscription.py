"""What one stream knows of one xDS type: what its Envoy asked for, holds, was sent and refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from turnout_operator.xds.resources import Kind, Resource


@dataclass(frozen=True, slots=True)
class Request:
    """One DeltaDiscoveryRequest. `versions` are the resources held before the stream; `error` makes it a NACK."""

    kind: Kind
    nonce: str = ""
    error: str | None = None
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One DeltaDiscoveryResponse."""

    kind: Kind
    nonce: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """An Envoy's refusal of one version of a resource."""

    version: str
    error: str


@dataclass(slots=True)
class Subscription:
    """State of one type. `wanted` is None for a wildcard; `dirty` is an ordered set of names to look at.

    `forced` are names to send though the version is held; `alone` are names that were refused in company, sent one by
    one to find the culprit; `greet` asks for a first response even if it is empty.
    """

    wanted: set[str] | None
    active: bool = False
    greet: bool = False
    held: dict[str, Resource] = field(default_factory=dict)
    inflight: dict[str, Resource | None] = field(default_factory=dict)
    rejected: dict[str, Rejection] = field(default_factory=dict)
    dirty: dict[str, None] = field(default_factory=dict)
    forced: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)

    def wants(self, name: str) -> bool:
        """Whether the Envoy asked for `name`."""
        return self.active and (self.wanted is None or name in self.wanted)

    def subscribe(self, names: Iterable[str]) -> None:
        """The Envoy asks for `names` too."""
        names = tuple(names)
        if self.wanted is not None:
            self.wanted.update(names)
        self.mark(names)

    def unsubscribe(self, name: str) -> Resource | None:
        """The Envoy drops `name`; returns what it held."""
        if self.wanted is not None:
            self.wanted.discard(name)
        self.forced.discard(name)
        self.rejected.pop(name, None)
        return self.held.pop(name, None)

    def mark(self, names: Iterable[str]) -> None:
        """Have names looked at by the next response."""
        self.dirty.update(dict.fromkeys(names))

    def force(self, names: Iterable[str]) -> None:
        """Have names sent whatever version is held."""
        names = tuple(names)
        self.forced.update(names)
        self.mark(names)

    def up_to_date(self, desired: Resource) -> bool:
        """Whether the desired version is held, or was refused."""
        if desired.name in self.forced:
            return False
        held, rejected = self.held.get(desired.name), self.rejected.get(desired.name)
        return desired.version in (held and held.version, rejected and rejected.version)

    def holds(self, desired: Resource | None) -> bool:
        """Whether exactly the desired version was ACKed."""
        held = None if desired is None else self.held.get(desired.name)
        return held is not None and desired is not None and held.version == desired.version

    def error(self, desired: Resource | None) -> str | None:
        """Why the desired version was refused, if it was."""
        rejection = None if desired is None else self.rejected.get(desired.name)
        return rejection.error if rejection and desired and rejection.version == desired.version else None
