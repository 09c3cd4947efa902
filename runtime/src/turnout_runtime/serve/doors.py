"""The ports that callers come by: HTTP and, where it is installed, gRPC; with TLS where only the gateway may come."""

import asyncio
import logging
import socket

from turnout_runtime.config import Serving
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.serve.api.api import Api
from turnout_runtime.serve.api.feedback import Keeper
from turnout_runtime.serve.http1 import Limits, Server
from turnout_runtime.serve.oip.grpc import GrpcDoor
from turnout_runtime.serve.oip.service import Inference
from turnout_runtime.serve.ports import Ports, bind
from turnout_runtime.serve.readiness import Readiness
from turnout_runtime.serve.served import Served

_log = logging.getLogger("turnout.serve")
_WATCH = 2.0  # seconds between looks at the gateway's authority: volumes of ConfigMaps follow within a minute


class Doors:
    """Opens and closes them together."""

    def __init__(
        self, dataplane: Dataplane, readiness: Readiness, served: Served, serving: Serving, keeper: Keeper | None = None
    ) -> None:
        """`keeper` takes feedback; without one there is none."""
        self._serving = serving
        self._api = Api(dataplane, readiness, served, keeper)
        self._grpc = GrpcDoor(Inference(dataplane, readiness, served), dataplane, readiness, served)
        self._gateway = None
        if serving.gateway_ca is not None:
            from turnout_runtime.serve.tls import Gateway  # imports cryptography

            self._gateway = Gateway(serving.gateway_ca)
        self._watching: asyncio.Task[None] | None = None

    async def open(self, ports: Ports) -> None:
        """Listen; raises `ConfigInvalid` where a port is taken."""
        limits = Limits(self._serving.max_body_bytes, self._serving.timeout_seconds)
        self._http = Server(self._api, limits)
        if ports.grpc is not None:
            number = await self._grpc.listen(ports, self._gateway)
            if number is not None:
                _listening("grpc", number)
        self._socket = bind(ports.host, ports.http, shared=ports.shared)
        await self._listen()
        _listening("http", self._socket.getsockname()[1])
        if self._gateway is not None:
            self._watching = asyncio.create_task(self._watch())

    async def close(self, timeout: float) -> None:
        """Take nothing new, and give what runs `timeout` seconds."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(self._http.close(timeout), self._grpc.close(timeout))
        self._socket.close()

    async def _listen(self) -> None:
        try:
            await self._http.listen(self._socket, None if self._gateway is None else self._gateway.context)
        except OSError as error:
            raise ConfigInvalid(f"cannot listen on port {_port(self._socket)}: {error.strerror}") from error

    async def _watch(self) -> None:
        """Follow the gateway's authority: new connections are checked against the new one, idle ones are closed."""
        assert self._gateway is not None
        while True:
            await asyncio.sleep(_WATCH)
            try:
                if not self._gateway.reload():
                    continue
                await self._listen()
                self._http.retire()
                _log.info("the gateway's authority has changed", extra={"fingerprint": self._gateway.fingerprint})
            except ConfigInvalid as error:
                _log.error("keeping the gateway's authority that was", extra={"error": str(error)})


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


def _listening(server: str, port: int) -> None:
    _log.info("listening", extra={"server": server, "port": port})
