"""The protocol alone: a server with a scripted application on a loop of its own, and clients that send bytes."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from turnout_runtime.errors import RequestError
from turnout_runtime.serve.http1 import Limits, Request, Server, respond
from turnout_runtime.serve.http1.connection import Connection
from turnout_runtime.serve.http1.response import stream_head
from turnout_runtime.serve.problems import problem

HOST = b"Host: x\r\n"
LIMITS = Limits(body_bytes=100_000, body_seconds=1.0, head_seconds=1.0, write_seconds=1.0, linger_seconds=0.5)


def request(body: bytes = b"", target: str = "/echo", headers: bytes = b"", method: str = "POST") -> bytes:
    """A whole request with a Content-Length."""
    line = f"{method} {target} HTTP/1.1\r\n".encode()
    return line + HOST + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass
class Scripted:
    """Answers by path: /echo at once, /later after some turns, /hang when let go, /big, /stream, /no, /defect."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[bytes] = field(default_factory=list)
    cancelled: int = 0
    answered: int = 0

    def begin(self, request: Request) -> bytes | None:
        if request.target == b"/defect-in-head":
            raise ZeroDivisionError("s3cret")
        return respond(request, 404, b"text/plain", b"no") if request.target == b"/no" else None

    def answer(self, request: Request, connection: Connection) -> Any:
        self.seen.append(request.target)
        match request.target:
            case b"/echo":
                return self._text(request, request.body)
            case b"/big":
                return self._text(request, b"x" * 1_000_000)
            case b"/defect-at-once":
                raise ZeroDivisionError("s3cret")
            case b"/stream":
                return self._stream(request, connection)
        return self._task(request)

    def refuse(self, request: Request, error: RequestError) -> bytes:
        status, body = problem(error, {})
        return respond(request, status, b"application/problem+json", body)

    def _text(self, request: Request, body: bytes) -> bytes:
        self.answered += 1
        return respond(request, 200, b"text/plain", body)

    async def _task(self, request: Request) -> bytes:
        try:
            if request.target == b"/later":
                await asyncio.sleep(0.05)
            elif request.target == b"/hang":
                await self.go.wait()
            else:
                raise ZeroDivisionError("s3cret")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self._text(request, request.body)

    async def _stream(self, request: Request, connection: Connection) -> bytes | None:
        try:
            await connection.write(stream_head(request, b"text/plain"))
            for number in range(int(request.body)):
                piece = b"%06d" % number + b"." * 994
                await connection.write(piece if request.old else b"%x\r\n%b\r\n" % (len(piece), piece))
                self.answered = number + 1
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return None if request.old else b"0\r\n\r\n"


class Wire:
    """A running server; `app` and `server` belong to its loop."""

    def __init__(self, limits: Limits, make: Callable[[], Any]) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.app, self.server, self.port = self.call(self._open, limits, make)

    async def _open(self, limits: Limits, make: Callable[[], Any]) -> tuple[Any, Server, int]:
        app = make()
        server, listening = Server(app, limits), socket.socket()
        with listening:
            listening.bind(("127.0.0.1", 0))
            await server.listen(listening)
            return app, server, listening.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a coroutine function on the server's loop."""
        return asyncio.run_coroutine_threadsafe(function(*args), self._loop).result(10)

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe(self.app.go.set)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def exchange(self, *pieces: bytes, until: bytes | None = None, half: bool = False) -> bytes:
        """Send the pieces and read to the end of the connection, or until some bytes have come."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                if len(pieces) > 1:
                    time.sleep(0.002)
            if half:
                connection.shutdown(socket.SHUT_WR)
            return read(connection, until)

    def close(self) -> None:
        if isinstance(self.app, Scripted):
            self.let_go()
        self.call(self.server.close, 2.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def wire(limits: Limits = LIMITS, make: Callable[[], Any] = Scripted) -> Iterator[Wire]:
    """`make` makes the application, on the loop."""
    made = Wire(limits, make)
    try:
        yield made
    finally:
        made.close()


def read(connection: socket.socket, until: bytes | None = None) -> bytes:
    """What comes to the end, or until these bytes have come."""
    received = bytearray()
    while until is None or until not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return bytes(received)


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", received)]


def bodies(received: bytes) -> list[bytes]:
    """Bodies of answers that have a Content-Length, in order."""
    found, rest = [], received
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        if b"Content-Length: " not in head:  # an interim answer
            continue
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        found.append(rest[:length])
        rest = rest[length:]
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)
