"""What one Envoy holds, as far as its ACKs tell, and what follows from it for routes and clusters."""

from collections.abc import Iterable

from turnout_operator.xds.lifetimes import Lifetimes
from turnout_operator.xds.resources import BY_NAME, Kind, Resource
from turnout_operator.xds.subscription import Rejection, Subscription
from turnout_operator.xds.table import Table


class Holdings:
    """The subscriptions of one stream with the rules that tie clusters, endpoints, scopes and route tables."""

    def __init__(self, table: Table, drain_seconds: float) -> None:
        self._table = table
        self.subs = {kind: Subscription(wanted=set() if kind in BY_NAME else None) for kind in Kind}
        self._clusters, self._endpoints = self.subs[Kind.CLUSTER], self.subs[Kind.ENDPOINTS]
        self._routes, self._scopes = self.subs[Kind.ROUTE], self.subs[Kind.SCOPE]
        self.lifetimes = Lifetimes(drain_seconds)
        self._warm: set[str] = set()
        # Clusters that were sent, and whether their endpoints were since: earlier ones are not theirs.
        self._renewed: dict[str, bool] = {}
        self._waiting: dict[str, set[str]] = {}

    def adopt(self, kind: Kind, resource: Resource) -> None:
        """The Envoy came with `resource`; without a `render` it is of a version that we don't know."""
        self.subs[kind].held[resource.name] = resource
        if kind is Kind.CLUSTER:
            self._warm.add(resource.name)
        elif kind is Kind.ROUTE and resource.render is None:
            self.lifetimes.add_unknown(resource.name)
        self.lifetimes.use(resource.uses)
        self._wake(kind, resource.name)

    def sending(self, kind: Kind, resource: Resource) -> None:
        """`resource` goes out."""
        sub = self.subs[kind]
        sub.inflight[resource.name] = resource
        sub.forced.discard(resource.name)
        self.lifetimes.use(resource.uses)
        if kind is Kind.CLUSTER and not resource.bare:
            # A changed cluster waits for its endpoints once more, though it never asks for them again.
            self._renewed[resource.name] = False
            self._endpoints.force([resource.name])
        elif kind is Kind.ENDPOINTS and resource.name in self._renewed:
            self._renewed[resource.name] = True

    def removing(self, kind: Kind, name: str) -> None:
        """The removal of `name` goes out."""
        self.subs[kind].inflight[name] = None
        self.subs[kind].held.pop(name, None)
        if kind is Kind.CLUSTER:
            self.lifetimes.keep(name)
            self._warm.discard(name)
            self._renewed.pop(name, None)

    def accepted(self, kind: Kind, resource: Resource) -> None:
        """The Envoy ACKed `resource`."""
        sub, name = self.subs[kind], resource.name
        sub.alone.discard(name)
        sub.rejected.pop(name, None)
        replaced: Resource | None = resource
        if sub.wants(name):
            replaced, sub.held[name] = sub.held.get(name), resource
        if kind is Kind.ROUTE:
            self.route_left(name, replaced)
        if kind is Kind.ENDPOINTS:
            self._got_endpoints(resource)
        self._wake(kind, name)

    def refused(self, kind: Kind, resource: Resource, error: str) -> None:
        """The Envoy NACKed `resource` and keeps what it had."""
        self.subs[kind].rejected[resource.name] = Rejection(resource.version, error)
        if kind is Kind.ROUTE:
            self._table.refuse_route(resource)
            self._free(self.lifetimes.release(resource.uses))

    def route_left(self, name: str, route: Resource | None) -> None:
        """The Envoy no longer holds `route`, a version of route table `name`."""
        if self.lifetimes.settle(name):
            self._free(self._clusters.held)
        if route is not None:
            self._free(self.lifetimes.release(route.uses))

    def usable(self, route: Resource) -> bool:
        """Whether the Envoy has all that `route` uses; else it is looked at again when that changes."""
        missing = self.missing(route)
        for cluster in missing:
            self._waiting.setdefault(cluster, set()).add(route.name)
        return not missing

    def missing(self, route: Resource) -> list[str]:
        """The clusters that `route` uses and can't be sent to. One that never had an endpoint there is missing to a
        route table that replaces another, which serves meanwhile."""
        replaces = route.name in self._routes.held
        return [
            cluster for cluster in route.uses if not self._ready(cluster) or (replaces and not self._served(cluster))
        ]

    def settled(self, route: Resource | None) -> bool:
        """Whether nothing that is under way will make `route` usable."""
        refused = (self._clusters.rejected, self._endpoints.rejected)
        return route is None or all(
            self._ready(cluster) or any(cluster in each for each in refused) for cluster in route.uses
        )

    def _ready(self, cluster: str) -> bool:
        desired = self._table.get(Kind.CLUSTER, cluster)
        has_endpoints = cluster in self._endpoints.held and cluster not in self._renewed
        return (has_endpoints or (desired is not None and desired.bare)) and self._clusters.holds(desired)

    def _served(self, cluster: str) -> bool:
        desired = self._table.get(Kind.CLUSTER, cluster)
        return cluster in self._warm or (desired is not None and desired.spare)

    def _got_endpoints(self, endpoints: Resource) -> None:
        if self._renewed.get(endpoints.name):
            del self._renewed[endpoints.name]
        if endpoints.populated:
            self._warm.add(endpoints.name)

    def _free(self, clusters: Iterable[str]) -> None:
        self._clusters.mark([name for name in clusters if self._table.get(Kind.CLUSTER, name) is None])

    def _wake(self, kind: Kind, cluster: str) -> None:
        if kind in (Kind.CLUSTER, Kind.ENDPOINTS):
            names = self._waiting.pop(cluster, ())
            self._scopes.mark(names)
            self._routes.mark(names)
