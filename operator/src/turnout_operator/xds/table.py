"""The desired state: what every Envoy shall hold. Each change tells which resources it touched, and no more."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from turnout_operator.plan.routes import Endpoint, PolicyKey, PolicyRoute
from turnout_operator.xds.render.route import route_name
from turnout_operator.xds.render.tls import SDS_DIRECTORY
from turnout_operator.xds.resources import (
    Bundle,
    Kind,
    OwnCluster,
    Resource,
    bundle,
    cluster_resource,
    endpoints_resource,
    listener_resource,
)

Touched = frozenset[tuple[Kind, str]]
_NOTHING: Touched = frozenset()


class ObjectiveConflict(ValueError):
    """Another policy of the namespace routes this objective; `holder` is its key."""

    def __init__(self, objective: str, holder: PolicyKey) -> None:
        super().__init__(f"objective {objective} is already routed by RoutingPolicy {holder.namespace}/{holder.name}")
        self.holder = holder


class Table:
    """Routes, the clusters that they name, and endpoints."""

    def __init__(self, gateway_port: int, sds_directory: PurePosixPath = SDS_DIRECTORY) -> None:
        self._sds_directory = sds_directory
        listener = listener_resource(gateway_port)
        self._listeners = {listener.name: listener}
        self._bundles: dict[str, Bundle] = {}
        self._names: dict[PolicyKey, str] = {}
        self._clusters: dict[str, Resource] = {}
        self._users: dict[str, set[str]] = {}
        self._endpoints: dict[str, Resource] = {}
        self._pods: dict[str, tuple[Endpoint, ...]] = {}
        self._copies: dict[str, set[str]] = {}
        self._own: dict[str, OwnCluster] = {}
        self._leads: dict[str, set[str]] = {}
        self._refused: dict[str, str] = {}

    def get(self, kind: Kind, name: str) -> Resource | None:
        """The desired resource, or None if there shall be none."""
        if kind is Kind.CLUSTER:
            return self._clusters.get(name)
        if kind is Kind.ENDPOINTS:
            return self._endpoints.get(name)
        if kind is Kind.LISTENER:
            return self._listeners.get(name)
        found = self._bundles.get(name)
        if found is None:
            return None
        return found.scope if kind is Kind.SCOPE else found.route

    def names(self, kind: Kind) -> Iterable[str]:
        """The names of all desired resources of a kind."""
        if kind is Kind.LISTENER:
            return self._listeners.keys()
        if kind is Kind.CLUSTER:
            return self._clusters.keys()
        return self._endpoints.keys() if kind is Kind.ENDPOINTS else self._bundles.keys()

    def bundle(self, name: str) -> Bundle | None:
        """The bundle of objective `<namespace>/<objective>`."""
        return self._bundles.get(name)

    def bundle_of(self, key: PolicyKey) -> Bundle | None:
        """The bundle of a policy."""
        name = self._names.get(key)
        return None if name is None else self._bundles[name]

    def keys(self) -> Iterable[PolicyKey]:
        """All policies."""
        return self._names.keys()

    def users(self, cluster: str) -> Iterable[str]:
        """The objectives that have an arm on `cluster`."""
        return self._users.get(cluster, ())

    def refuse_route(self, route: Resource) -> None:
        """An Envoy refused `route`."""
        if route.name in self._bundles:
            self._refused[route.name] = route.version

    def is_refused(self, name: str) -> bool:
        """Whether some Envoy refused the desired route table `name`."""
        found = self._bundles.get(name)
        return found is not None and self._refused.get(name) == found.route.version

    def set_route(self, policy: PolicyRoute) -> Touched:
        """Route `policy`. Raises ObjectiveConflict if another policy has its objective."""
        name = route_name(policy)
        holder = self._bundles.get(name)
        if holder is not None and holder.policy == policy:
            return _NOTHING
        if holder is not None and holder.policy.key != policy.key:
            raise ObjectiveConflict(name, holder.policy.key)
        touched = self.delete_route(policy.key) if self._names.get(policy.key, name) != name else _NOTHING
        return touched | self._put(name, bundle(policy))

    def delete_route(self, key: PolicyKey) -> Touched:
        """Forget a policy; unknown ones are ignored."""
        name = self._names.pop(key, None)
        if name is None:
            return _NOTHING
        gone = self._bundles.pop(name)
        self._refused.pop(name, None)
        touched = {(Kind.SCOPE, name), (Kind.ROUTE, name)}
        touched.update(self._release(name, gone.clusters))
        return frozenset(touched)

    def set_endpoints(self, cluster: str, endpoints: Sequence[Endpoint]) -> Touched:
        """Set the ready endpoints of a cluster, routed to or not."""
        new = endpoints_resource(cluster, endpoints, holds=cluster in self._leads)
        old = self._endpoints.get(cluster)
        if (old is None and not endpoints) or (old is not None and old.version == new.version):
            return _NOTHING
        if endpoints or cluster in self._clusters:
            self._endpoints[cluster] = new
        else:
            self._endpoints.pop(cluster, None)
        self._pods[cluster] = tuple(endpoints)
        if not endpoints:
            del self._pods[cluster]
        return frozenset({(Kind.ENDPOINTS, cluster), *self._copied(cluster)})

    def _copied(self, cluster: str) -> Iterable[tuple[Kind, str]]:
        """Give the endpoints of `cluster` to the policies' own clusters that have the same."""
        for copy in self._copies.get(cluster, ()):
            yield self._refresh(copy)

    def _refresh(self, cluster: str) -> tuple[Kind, str]:
        """Render the endpoints of `cluster` anew."""
        own = self._own.get(cluster)
        pods = self._pods.get((own and own.copies) or cluster, ())
        holds = cluster in self._leads or (own is not None and own.holds)
        self._endpoints[cluster] = endpoints_resource(cluster, pods, own.metadata if own else None, holds=holds)
        return Kind.ENDPOINTS, cluster

    def _put(self, name: str, new: Bundle) -> Touched:
        old = self._bundles.get(name)
        had = frozenset() if old is None else old.clusters
        guarded = frozenset() if old is None else old.guarded
        self._bundles[name] = new
        self._names[new.policy.key] = name
        touched = {(Kind.SCOPE, name), (Kind.ROUTE, name)}
        claimed = new.clusters - had | (new.guarded ^ guarded) & new.clusters | new.own.keys()
        touched.update(self._claim(name, claimed, new))
        touched.update(self._release(name, had - new.clusters))
        return frozenset(touched)

    def _claim(self, name: str, clusters: Iterable[str], bundle: Bundle) -> Iterable[tuple[Kind, str]]:
        for cluster in clusters:
            self._users.setdefault(cluster, set()).add(name)
            own = bundle.own.get(cluster)
            wanted = cluster_resource(cluster, self._sds_directory if cluster in bundle.guarded else None, own)
            old = self._clusters.get(cluster)
            if old is None or old.version != wanted.version:
                self._clusters[cluster] = wanted
                yield Kind.CLUSTER, cluster
                yield from self._claim_endpoints(cluster, own)

    def _claim_endpoints(self, cluster: str, own: OwnCluster | None) -> Iterable[tuple[Kind, str]]:
        if own is not None:
            self._own[cluster] = own
            if own.copies is not None:
                self._copies.setdefault(own.copies, set()).add(cluster)
            if own.after is not None:
                yield from self._lead(own.after, cluster)
        if (own is None and cluster not in self._endpoints) or (own is not None and own.copies is not None):
            yield self._refresh(cluster)
        elif own is None:
            yield Kind.ENDPOINTS, cluster

    def _lead(self, cluster: str, ladder: str) -> Iterable[tuple[Kind, str]]:
        """`ladder` begins with `cluster`, which holds on to its requests from now on."""
        known = cluster in self._leads
        self._leads.setdefault(cluster, set()).add(ladder)
        if not known and cluster in self._endpoints:
            yield self._refresh(cluster)

    def _release(self, name: str, clusters: Iterable[str]) -> Iterable[tuple[Kind, str]]:
        for cluster in clusters:
            users = self._users[cluster]
            users.discard(name)
            if users:
                continue
            gone = self._clusters.pop(cluster)
            del self._users[cluster]
            if gone.spare:
                yield from self._drop_own(cluster)
            elif not self._endpoints[cluster].populated:
                del self._endpoints[cluster]
            yield Kind.CLUSTER, cluster

    def _drop_own(self, cluster: str) -> Iterable[tuple[Kind, str]]:
        own = self._own.pop(cluster)
        if own.copies is not None:
            del self._endpoints[cluster]
            _discard(self._copies, own.copies, cluster)
        if own.after is not None and _discard(self._leads, own.after, cluster) and own.after in self._endpoints:
            yield self._refresh(own.after)


def _discard(sets: dict[str, set[str]], key: str, member: str) -> bool:
    """Take a member out of a set; whether that was the last, and the set is gone."""
    sets[key].discard(member)
    if sets[key]:
        return False
    del sets[key]
    return True
