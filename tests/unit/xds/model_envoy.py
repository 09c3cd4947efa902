"""An Envoy reduced to what delta ADS sees of it, which asserts the stream's promises as it goes."""

from collections import deque
from collections.abc import Iterator

from turnout_operator.xds.resources import BY_NAME, Kind, Resource
from turnout_operator.xds.stream import StreamState
from turnout_operator.xds.subscription import Request, Response


class ModelEnvoy:
    """Holds resources over many streams. Refuses route tables whose policy version starts with "bad".

    Like Envoy it ACKs clusters only when they are warm, applies the good ones of a batch and subscribes by itself.
    """

    def __init__(self) -> None:
        self.held: dict[Kind, dict[str, Resource]] = {kind: {} for kind in Kind}
        self.wanted: dict[Kind, set[str]] = {kind: set() for kind in BY_NAME}
        self._stream: StreamState | None = None
        self._inbox: deque[Response] = deque()
        self._warming: list[Response] = []
        self.resent: list[str] = []

    def connect(self, stream: StreamState) -> None:
        """A new stream; what was under way on the old one is lost."""
        self._stream = stream
        self._inbox.clear()
        self._warming.clear()
        for kind in (Kind.CLUSTER, Kind.ENDPOINTS, Kind.LISTENER, Kind.SCOPE, Kind.ROUTE):
            if kind in BY_NAME and not self.wanted[kind]:
                continue
            versions = {name: each.version for name, each in self.held[kind].items()}
            names = tuple(self.wanted[kind]) if kind in BY_NAME else ()
            if kind is Kind.SCOPE and not self.held[Kind.LISTENER]:
                continue
            stream.receive(Request(kind, subscribe=names, versions=versions))

    def pull(self, now: float) -> bool:
        """Have the server put its next response on the wire."""
        assert self._stream is not None
        response = self._stream.next_response(now)
        if response is not None:
            self._inbox.append(response)
        return response is not None

    def process(self) -> bool:
        """Handle the oldest response on the wire."""
        if not self._inbox:
            return False
        response = self._inbox.popleft()
        errors = [error for each in response.resources if (error := self._apply(response.kind, each))]
        for name in response.removed:
            self._remove(response.kind, name)
        self._answer(response, errors)
        return True

    def _answer(self, response: Response, errors: list[str]) -> None:
        if response.kind is Kind.CLUSTER:
            self._warming.append(response)
        else:
            self._send(Request(response.kind, nonce=response.nonce, error="; ".join(errors) or None))
        self._ack_warm_clusters()

    def _ack_warm_clusters(self) -> None:
        for response in list(self._warming):
            if all(each.bare or each.name in self.held[Kind.ENDPOINTS] for each in response.resources):
                self._warming.remove(response)
                self._send(Request(Kind.CLUSTER, nonce=response.nonce))

    def _apply(self, kind: Kind, resource: Resource) -> str | None:
        name = resource.name
        if kind in BY_NAME and name not in self.wanted[kind]:
            return None
        if kind is Kind.ROUTE:
            assert_usable(self, resource)
            if is_bad(resource):
                return f"refused {name}"
        old = self.held[kind].get(name)
        if old is not None and old.version == resource.version:
            self.resent.append(name)
        self.held[kind][name] = resource
        for follow in self._follows(kind, resource):
            follow()
        return None

    def _follows(self, kind: Kind, resource: Resource) -> Iterator[object]:
        name = resource.name
        if kind is Kind.CLUSTER and not resource.bare:
            yield lambda: self._want(Kind.ENDPOINTS, name)
        if kind is Kind.SCOPE:
            yield lambda: self._want(Kind.ROUTE, name)
        if kind is Kind.LISTENER:
            yield lambda: self._send(Request(Kind.SCOPE))

    def _want(self, kind: Kind, name: str) -> None:
        if name not in self.wanted[kind]:
            self.wanted[kind].add(name)
            self._send(Request(kind, subscribe=(name,)))

    def _remove(self, kind: Kind, name: str) -> None:
        if kind is Kind.CLUSTER:
            users = [route.name for route in self.held[Kind.ROUTE].values() if name in route.uses]
            assert not users, f"{name} removed while {users} use it"
        self.held[kind].pop(name, None)
        for by_name in {Kind.CLUSTER: [Kind.ENDPOINTS], Kind.SCOPE: [Kind.ROUTE]}.get(kind, []):
            self.wanted[by_name].discard(name)
            self.held[by_name].pop(name, None)
            self._send(Request(by_name, unsubscribe=(name,)))

    def _send(self, request: Request) -> None:
        assert self._stream is not None
        self._stream.receive(request)


def is_bad(resource: Resource) -> bool:
    """Whether a route table carries a policy version that the model refuses."""
    assert resource.render is not None
    return '"bad' in repr(resource.render()).replace("'", '"')


def assert_usable(envoy: ModelEnvoy, route: Resource) -> None:
    for cluster in route.uses:
        held = envoy.held[Kind.CLUSTER].get(cluster)
        assert held is not None, f"{route.name} came before cluster {cluster}"
        has_endpoints = held.bare or cluster in envoy.held[Kind.ENDPOINTS]
        assert has_endpoints, f"{route.name} came before the endpoints of {cluster}"
