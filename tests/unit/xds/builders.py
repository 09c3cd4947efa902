"""Routes and requests with overrides."""

from collections.abc import Sequence
from dataclasses import replace

from turnout_operator.plan.routes import ArmRoute, Endpoint, Fallback, PolicyKey, PolicyRoute, Shadow, Sticky
from turnout_operator.xds.resources import Kind, Resource
from turnout_operator.xds.stream import StreamState
from turnout_operator.xds.subscription import Request, Response
from turnout_operator.xds.table import Table

HOST = Endpoint("10.0.0.1", 8080)
DRAIN = 5.0


def route(
    name: str = "fd",
    weights: dict[str, int] | None = None,
    *,
    version: str = "v1",
    objective: str | None = None,
    sticky: Sticky | None = None,
    timeout: float = 1.0,
) -> PolicyRoute:
    """A policy of namespace demo; `weights` maps revisions to basis points, the first is the stable arm."""
    weights = {"a": 10_000} if weights is None else weights
    arms = tuple(ArmRoute(f"arm-{rev}", f"demo/{rev}", rev, bp) for rev, bp in weights.items())
    return PolicyRoute(PolicyKey("demo", name), objective or name, version, sticky, arms, timeout)


def laddered(policy: PolicyRoute, rungs: Sequence[str], limit: int = 64) -> PolicyRoute:
    """The policy with these revisions below every arm."""
    arms = tuple(ArmRoute(f"rung-{rev}", f"demo/{rev}", rev, 0) for rev in rungs)
    fallback = Fallback(arms, None, frozenset({"5xx"}), None, limit)
    return replace(policy, fallback=fallback if arms else None)


def shadowed(policy: PolicyRoute, revisions: Sequence[str], limit: int = 64) -> PolicyRoute:
    """The policy with these revisions as shadows."""
    arms = (ArmRoute(f"shadow-{rev}", f"demo/{rev}", rev, 0) for rev in revisions)
    return replace(policy, shadows=tuple(Shadow(arm, 10_000, limit, 65_536) for arm in arms))


class Conversation:
    """One stream driven by hand: collects what is sent and answers it when told."""

    def __init__(self, state: StreamState) -> None:
        self.state = state

    def ask(self, kind: Kind, *names: str, held: dict[str, str] | None = None, drop: tuple[str, ...] = ()) -> None:
        self.state.receive(Request(kind, subscribe=names, unsubscribe=drop, versions=held or {}))

    def sent(self, now: float = 0.0) -> list[Response]:
        """All that is sent at `now`, unanswered."""
        return list(iter(lambda: self.state.next_response(now), None))

    def ack(self, response: Response, error: str | None = None) -> None:
        self.state.receive(Request(response.kind, nonce=response.nonce, error=error))

    def settle(self, now: float = 0.0) -> list[tuple[str, str]]:
        """Answer like an Envoy until nothing more comes; returns (kind, name) as sent, removals with a minus."""
        log = []
        while response := self.state.next_response(now):
            log += [(response.kind.name, each.name) for each in response.resources]
            log += [(response.kind.name, f"-{name}") for name in response.removed]
            self.ack(response)
            self._follow(response.kind, response.resources, response.removed)
        return log

    def open(self, now: float = 0.0) -> list[tuple[str, str]]:
        """A fresh Envoy's subscriptions, in its order."""
        log = []
        for kind in (Kind.CLUSTER, Kind.LISTENER, Kind.SCOPE):
            self.ask(kind)
            log += self.settle(now)
        return log

    def _follow(self, kind: Kind, resources: tuple[Resource, ...], removed: tuple[str, ...]) -> None:
        needs = {Kind.CLUSTER: Kind.ENDPOINTS, Kind.SCOPE: Kind.ROUTE}
        if kind in needs:
            self.ask(needs[kind], *(each.name for each in resources), drop=removed)


class Gateway(Conversation):
    """A table and one Envoy's conversation about it."""

    def __init__(self, *policies: PolicyRoute, hosts: tuple[str, ...] = ("a", "b", "c")) -> None:
        self.table = Table(8080)
        for revision in hosts:
            self.table.set_endpoints(f"demo/{revision}", [HOST])
        for policy in policies:
            self.table.set_route(policy)
        super().__init__(StreamState(self.table, DRAIN))

    def route(self, policy: PolicyRoute) -> None:
        self.state.mark(self.table.set_route(policy))

    def delete(self, name: str) -> None:
        self.state.mark(self.table.delete_route(PolicyKey("demo", name)))

    def endpoints(self, revision: str, *hosts: Endpoint) -> None:
        self.state.mark(self.table.set_endpoints(f"demo/{revision}", hosts))

    def versions(self, kind: Kind) -> dict[str, str]:
        found = [self.table.get(kind, name) for name in self.table.names(kind)]
        return {each.name: each.version for each in found if each is not None}

    def reconnect(self, **stale: dict[str, str]) -> list[tuple[str, str]]:
        """An Envoy that held all of the table when its stream broke, but for `stale` (kind name to versions)."""
        self.state = StreamState(self.table, DRAIN)
        for kind in Kind:
            held = {**self.versions(kind), **stale.get(kind.name, {})}
            self.ask(kind, *(held if kind in (Kind.ENDPOINTS, Kind.ROUTE) else ()), held=held)
        return self.settle()
