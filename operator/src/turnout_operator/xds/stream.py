"""One Envoy's delta ADS stream as a state machine without IO: table and ACKs in, next response out.

It holds two promises. A route table is sent only after all clusters that it uses were ACKed with their endpoints, and a
cluster is removed only when no ACKed or in-flight route table uses it. Per resource there is at most one version in
flight, so a slow Envoy costs its own latency and is sent the latest state when it comes back.
"""

from collections.abc import Iterable

from turnout_operator.xds.holdings import Holdings
from turnout_operator.xds.resources import BY_NAME, Kind, Resource, endpoints_resource, reported
from turnout_operator.xds.subscription import Request, Response
from turnout_operator.xds.table import Table, Touched

WINDOW = 128
# One bad route table in a response spoils its neighbours. All scopes of the first response are warmed before the
# listener serves, so they come together. The others are as many as take a few milliseconds of the event loop.
_BATCH = {Kind.CLUSTER: 200, Kind.ENDPOINTS: 200, Kind.LISTENER: 1, Kind.SCOPE: 100_000, Kind.ROUTE: 1}


class StreamState:
    """What one Envoy holds, and what to send it next. `changed` collects objectives whose ACK or NACK changed."""

    def __init__(self, table: Table, drain_seconds: float) -> None:
        self._table = table
        self._holdings = Holdings(table, drain_seconds)
        self._subs = self._holdings.subs
        self._unsettled: set[str] = set()
        self._unanswered: dict[str, Response] = {}
        self._nonce = 0
        self.changed: set[str] = set()

    def mark(self, touched: Touched) -> None:
        """The table changed."""
        for kind, name in touched:
            if self._subs[kind].active:
                self._subs[kind].mark([name])

    def receive(self, request: Request) -> None:
        """Take one request: an ACK, a NACK, subscriptions, or several of these."""
        response = self._unanswered.pop(request.nonce, None)
        if response is not None:
            self._answered(response, request.error)
        if not self._subs[request.kind].active:
            self._open(request)
        if request.kind in BY_NAME:
            self._unsubscribe(request.kind, request.unsubscribe)
            self._subscribe(request)

    def next_response(self, now: float) -> Response | None:
        """The next response to send at `now`, or None if there is nothing to say or too much is unanswered."""
        self._subs[Kind.CLUSTER].mark(self._holdings.lifetimes.due(now))
        if len(self._unanswered) >= WINDOW:
            return None
        return next((response for kind in Kind if (response := self._respond(kind, now))), None)

    def deadline(self) -> float | None:
        """When `next_response` may have something to say though nothing happened."""
        return None if len(self._unanswered) >= WINDOW else self._holdings.lifetimes.deadline()

    def acked(self, name: str) -> bool:
        """Whether the Envoy routes objective `name` by the desired version."""
        return self._subs[Kind.ROUTE].holds(self._table.get(Kind.ROUTE, name)) and name in self._subs[Kind.SCOPE].held

    def waiting(self, name: str) -> tuple[str, ...]:
        """Clusters whose ACK, or whose first endpoint, the desired version of objective `name` waits for."""
        route = self._table.get(Kind.ROUTE, name)
        if route is None or self._subs[Kind.ROUTE].up_to_date(route):
            return ()
        return tuple(sorted(self._holdings.missing(route)))

    def error(self, name: str) -> str | None:
        """Why the Envoy refused the desired version of objective `name`, or of something that it needs."""
        bundle = self._table.bundle(name)
        if bundle is None:
            return None
        needed = [(Kind.ROUTE, name), (Kind.SCOPE, name)]
        needed += [(kind, cluster) for cluster in sorted(bundle.clusters) for kind in (Kind.CLUSTER, Kind.ENDPOINTS)]
        needed += [(Kind.LISTENER, listener) for listener in self._table.names(Kind.LISTENER)]
        errors = (self._subs[kind].error(self._table.get(kind, each)) for kind, each in needed)
        return next((error for error in errors if error is not None), None)

    def _open(self, request: Request) -> None:
        """The first request of a type: believe what the Envoy says it holds, and look at everything."""
        kind, sub = request.kind, self._subs[request.kind]
        sub.active, sub.greet = True, kind not in BY_NAME and not request.versions
        for name, version in request.versions.items():
            desired = self._table.get(kind, name)
            known = desired is not None and desired.version == version
            self._holdings.adopt(kind, desired if desired is not None and known else reported(name, version))
        self._tell(kind, request.versions)
        sub.mark(request.versions)
        if kind not in BY_NAME:
            sub.mark(self._table.names(kind))
        if kind is Kind.SCOPE:
            self._unsettled.update(self._table.names(kind))

    def _subscribe(self, request: Request) -> None:
        sub = self._subs[request.kind]
        # A refusal ends the wait for all route tables with which a starting Envoy holds back its listener.
        sub.subscribe(sorted(request.subscribe, key=self._table.is_refused))
        # Who asks without naming a version has nothing, whatever was ACKed before.
        again = [name for name in request.subscribe if name not in request.versions]
        sub.force(name for name in again if name in sub.held or name in sub.rejected)

    def _unsubscribe(self, kind: Kind, names: Iterable[str]) -> None:
        for name in names:
            held = self._subs[kind].unsubscribe(name)
            if kind is Kind.ROUTE:
                self._holdings.route_left(name, held)

    def _answered(self, response: Response, error: str | None) -> None:
        sub = self._subs[response.kind]
        names = [*response.removed, *(resource.name for resource in response.resources)]
        for name in names:
            sub.inflight.pop(name, None)
        sub.mark(names)
        if error is not None or response.kind in (Kind.SCOPE, Kind.ROUTE) or sub.rejected.keys() & names:
            self._tell(response.kind, names)
        if error is None:
            for resource in response.resources:
                self._holdings.accepted(response.kind, resource)
        elif len(response.resources) == 1:
            self._holdings.refused(response.kind, response.resources[0], error)
        else:
            sub.alone.update(names)
            sub.force(resource.name for resource in response.resources)

    def _tell(self, kind: Kind, names: Iterable[str]) -> None:
        if kind in (Kind.SCOPE, Kind.ROUTE):
            self.changed.update(names)
        elif kind is Kind.LISTENER:
            self.changed.update(self._table.names(Kind.ROUTE))
        else:
            self.changed.update(user for name in names for user in self._table.users(name))

    def _gate_is_open(self) -> bool:
        """Whether the first scopes may go: with all that can be served, or the listener would serve without some."""
        settled = self._holdings.settled
        self._unsettled = {name for name in self._unsettled if not settled(self._table.get(Kind.ROUTE, name))}
        return not self._unsettled

    def _respond(self, kind: Kind, now: float) -> Response | None:
        sub = self._subs[kind]
        if not sub.active or not (sub.dirty or sub.greet) or (kind is Kind.SCOPE and not self._gate_is_open()):
            return None
        resources, removed = self._fill(kind, now)
        if not resources and not removed and not sub.greet:
            return None
        sub.greet = False
        self._nonce += 1
        response = Response(kind, str(self._nonce), tuple(resources), tuple(removed))
        self._unanswered[response.nonce] = response
        return response

    def _fill(self, kind: Kind, now: float) -> tuple[list[Resource], list[str]]:
        """Take dirty names until a response is full."""
        sub = self._subs[kind]
        resources: list[Resource] = []
        removed: list[str] = []
        while sub.dirty and len(resources) < _BATCH[kind]:
            name = next(iter(sub.dirty))
            if name in sub.alone and resources:
                break
            del sub.dirty[name]
            resource = self._to_send(kind, name)
            if resource is not None:
                self._holdings.sending(kind, resource)
                resources.append(resource)
            elif self._is_to_be_removed(kind, name, now):
                self._holdings.removing(kind, name)
                removed.append(name)
            if resource is not None and name in sub.alone:
                break
        return resources, removed

    def _to_send(self, kind: Kind, name: str) -> Resource | None:
        sub, desired = self._subs[kind], self._table.get(kind, name)
        if desired is not None and kind is Kind.CLUSTER:
            self._holdings.lifetimes.keep(name)
        if desired is None and kind is Kind.ENDPOINTS and (name not in sub.held or name in sub.forced):
            desired = endpoints_resource(name, ())
        if desired is None or name in sub.inflight or not sub.wants(name) or sub.up_to_date(desired):
            return None
        route = self._table.get(Kind.ROUTE, name) if kind in (Kind.ROUTE, Kind.SCOPE) else None
        known_scope = kind is Kind.SCOPE and name in sub.held
        return desired if route is None or known_scope or self._holdings.usable(route) else None

    def _is_to_be_removed(self, kind: Kind, name: str, now: float) -> bool:
        sub = self._subs[kind]
        if kind in BY_NAME or name not in sub.held or name in sub.inflight or self._table.get(kind, name) is not None:
            return False
        return kind is not Kind.CLUSTER or self._holdings.lifetimes.may_remove(name, now)
