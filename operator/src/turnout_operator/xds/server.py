"""The delta ADS server: grpc.aio around the pure table and streams."""

import logging
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from turnout_operator.plan.routes import Endpoint, PolicyKey, PolicyRoute
from turnout_operator.xds.connection import Connection
from turnout_operator.xds.observe import Notifier, Observation, Traffic
from turnout_operator.xds.render.tls import SDS_DIRECTORY
from turnout_operator.xds.stream import StreamState
from turnout_operator.xds.table import Table, Touched

log = logging.getLogger(__name__)
_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class XdsServer:
    """Serves the route table to Envoys and knows what each has ACKed. All methods belong to one event loop."""

    def __init__(
        self,
        *,
        on_change: Callable[[PolicyKey], None],
        drain_seconds: float = 5.0,
        gateway_port: int = 8080,
        keepalive_seconds: float = 5.0,
        sds_directory: PurePosixPath = SDS_DIRECTORY,
    ) -> None:
        self._table = Table(gateway_port, sds_directory)
        self._notifier = Notifier(on_change)
        self._drain_seconds = drain_seconds
        self._keepalive_seconds = keepalive_seconds
        self._connections: set[Connection] = set()
        self.traffic = Traffic()
        self._serving = False
        self._server: grpc.aio.Server | None = None

    async def start(self, bind: str, credentials: grpc.ServerCredentials | None) -> int:
        """Listen on `bind` (host:port, 0 for any) and return the port. Streams are refused until `set_serving`.

        Raises RuntimeError if the address can't be bound.
        """
        self._server = grpc.aio.server(options=_options(self._keepalive_seconds))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        if credentials is None:
            port = self._server.add_insecure_port(bind)
        else:
            port = self._server.add_secure_port(bind, credentials)
        await self._server.start()
        return int(port)

    async def stop(self, grace: float = 0.5) -> None:
        """End all streams and stop listening; waits at most `grace` seconds."""
        self.set_serving(False)
        if self._server is not None:
            await self._server.stop(grace)

    def set_serving(self, serving: bool) -> None:
        """Accept streams, or refuse new ones and end the open ones with UNAVAILABLE."""
        self._serving = serving
        if not serving:
            for connection in self._connections:
                connection.close()

    def set_route(self, route: PolicyRoute) -> None:
        """Route a policy; an equal route changes nothing. Raises ObjectiveConflict if another policy has its
        objective."""
        self._touch(self._table.set_route(route), route.key)

    def delete_route(self, key: PolicyKey) -> None:
        """Stop routing a policy; unknown ones are ignored."""
        self._touch(self._table.delete_route(key), key)

    def set_endpoints(self, cluster: str, endpoints: Sequence[Endpoint]) -> None:
        """Set the ready endpoints of a cluster; none answers 503 at once."""
        self._touch(self._table.set_endpoints(cluster, endpoints))

    def observation(self, key: PolicyKey) -> Observation:
        """What the connected Envoys have confirmed of a policy."""
        connected = len(self._connections)
        bundle = self._table.bundle_of(key)
        if bundle is None:
            return Observation(connected, acked=0)
        late = [each for each in self._connections if not each.state.acked(bundle.name)]
        errors = {each.node_id: each.state.error(bundle.name) for each in self._connections}
        return Observation(
            connected=connected,
            acked=connected - len(late),
            nacks={node: error for node, error in errors.items() if error is not None},
            version=bundle.policy.version,
            waiting=tuple(sorted({cluster for each in late for cluster in each.state.waiting(bundle.name)})),
        )

    def _touch(self, touched: Touched, *keys: PolicyKey) -> None:
        if not touched:
            return
        for connection in self._connections:
            connection.mark(touched)
        self._notifier.note(keys)

    def _handlers(self) -> grpc.GenericRpcHandler:
        delta = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString
        )
        return grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": delta})

    async def _stream(self, requests: Any, context: Any) -> None:
        closed = not self._serving or await self._serve(requests, context)
        if closed:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "standby")

    async def _serve(self, requests: Any, context: Any) -> bool:
        """Serve one Envoy; true if it was sent away."""
        connection = Connection(StreamState(self._table, self._drain_seconds), self.traffic, self._changed)
        self._connections.add(connection)
        self._notifier.note(self._table.keys())
        try:
            return await connection.run(requests, context)
        finally:
            self._connections.discard(connection)
            self._notifier.note(self._table.keys())
            log.info("gateway %s left, %d connected", connection.node_id, len(self._connections))

    def _changed(self, names: set[str]) -> None:
        bundles = (self._table.bundle(name) for name in names)
        self._notifier.note([bundle.policy.key for bundle in bundles if bundle is not None])


def _options(keepalive_seconds: float) -> list[tuple[str, int]]:
    """A gateway that is frozen, or whose node died, counts as connected for at most twice `keepalive_seconds`."""
    milliseconds = int(keepalive_seconds * 1000)
    return [
        ("grpc.keepalive_time_ms", milliseconds),
        ("grpc.keepalive_timeout_ms", milliseconds),
        # The timeout of a bandwidth probe that is under way; a keepalive ping waits for it, by default 60 s.
        ("grpc.http2.ping_timeout_ms", milliseconds),
        ("grpc.http2.max_pings_without_data", 0),
        # Envoy's own pings on an idle stream would otherwise end it as abuse every few seconds.
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        ("grpc.so_reuseport", 0),
    ]
