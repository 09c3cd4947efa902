"""The listening side: accepts connections, watches their limits of time, and brings them to an orderly end."""

import asyncio
import logging
import ssl
import time
from socket import socket

from turnout_runtime.serve.http1.app import App
from turnout_runtime.serve.http1.connection import Connection
from turnout_runtime.serve.http1.heads import Heads
from turnout_runtime.serve.http1.limits import Limits
from turnout_runtime.serve.http1.response import Date

_TICK = 0.25  # seconds between looks at the clock: limits of time are this exact
_log = logging.getLogger("turnout.serve")


class Server:
    """Accepts for one application. `now` is the monotonic time, as exact as limits of time need it."""

    def __init__(self, app: App, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.loop = asyncio.get_running_loop()
        self.connections: dict[Connection, None] = {}
        self.heads = Heads()
        self.now = time.monotonic()
        self._listeners: list[asyncio.Server] = []
        self._timer = self.loop.call_later(_TICK, self._tick)

    async def listen(self, listening: socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept on a bound socket, from now on under this TLS context, if any; earlier ones are used no more."""
        before, self._listeners = self._listeners, []
        handshake = self.limits.head_seconds if tls else None
        self._listeners = [
            await self.loop.create_server(
                lambda: Connection(self), sock=listening.dup(), backlog=1024, ssl=tls, ssl_handshake_timeout=handshake
            )
        ]
        for listener in before:
            listener.close()

    def retire(self) -> None:
        """Close what is idle; the rest closes with its next answer, if the application says so."""
        for connection in list(self.connections):
            if connection.idle:
                connection.end()

    async def close(self, timeout: float) -> None:
        """Accept no more, and give what runs `timeout` seconds to finish."""
        for listener in self._listeners:
            listener.close()
        deadline = self.loop.time() + timeout
        while self.connections and self.loop.time() < deadline:
            self.retire()
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0)
        self._timer.cancel()

    def _tick(self) -> None:
        self._timer = self.loop.call_later(_TICK, self._tick)
        self.now = time.monotonic()
        Date.tick()
        for connection in list(self.connections):
            try:
                connection.check(self.now)
            except Exception:
                _log.exception("a connection's limits cannot be checked")
                connection.abort()
