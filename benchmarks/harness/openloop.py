"""Requests at times fixed beforehand, whether or not the server keeps up.

One thread on one epoll costs some 15 µs a request, so one core can offer several times what a Python server carries.
A request that finds no free connection waits for one, and its latency counts from when it was due: nothing is omitted.
"""

import gc
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter

from benchmarks.harness.outcomes import Floats, Ledger, Outcomes
from benchmarks.harness.wire import answered

FALLBACK = b'"fallback_used":true'
_TURN = 0.05  # seconds that the loop sleeps at most


def offer(
    port: int,
    requests: Sequence[bytes],
    due: Floats,
    connections: int = 64,
    *,
    patience: float = 2.0,
    on_start: Callable[[], None] = lambda: None,
) -> Outcomes:
    """Send `requests` (whole HTTP messages, in turn, then again from the first) to loopback at the times `due`.

    Times count from when `on_start` is called. After the last was due, answers are waited for `patience` seconds more.
    A server that goes away ends the load: what it did not answer, or was not asked, is lost.
    """
    collecting = gc.isenabled()
    gc.disable()
    load = _Load(port, requests, Ledger(due))
    try:
        load.connect(connections)
        on_start()
        load.run(patience)
        return load.ledger.outcomes()
    finally:
        load.close()
        if collecting:
            gc.enable()


class _Connection:
    """A kept-alive connection; `number` is the request under way, `got` what came of its answer."""

    __slots__ = ("got", "number", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.number, self.got = -1, b""


class _Load:
    """One run: which connections are idle, and which wait for an answer (by file descriptor)."""

    def __init__(self, port: int, requests: Sequence[bytes], ledger: Ledger) -> None:
        self.ledger = ledger
        self._port, self._requests = port, requests
        self._idle: list[_Connection] = []
        self._busy: dict[int, _Connection] = {}
        self._poller = select.epoll()
        self._begin = 0.0

    def connect(self, connections: int) -> None:
        for _ in range(connections):
            self._open()

    def close(self) -> None:
        for connection in (*self._idle, *self._busy.values()):
            connection.socket.close()
        self._poller.close()

    def run(self, patience: float) -> None:
        due, idle, busy = self.ledger.due, self._idle, self._busy
        number, count, end = 0, len(due), (due[-1] if due else 0.0) + patience
        self._begin = perf_counter()
        while (busy or (idle and number < count)) and (now := perf_counter() - self._begin) < end:
            while number < count and due[number] <= now and idle:
                self._send(idle.pop(), number)
                number += 1
            soon = min(due[number] - now, _TURN) if number < count and idle else _TURN
            if soon > 0:
                select.select([self._poller], [], [], soon)  # epoll's own timeout has a resolution of 1 ms only
            for descriptor, _ in self._poller.poll(0):
                if descriptor in busy:
                    self._receive(busy[descriptor])
                else:
                    self._replace(descriptor)

    def _send(self, connection: _Connection, number: int) -> None:
        connection.number, connection.got = number, b""
        self._busy[connection.socket.fileno()] = connection
        self.ledger.sent[number] = perf_counter() - self._begin
        try:
            connection.socket.send(self._requests[number % len(self._requests)])
        except OSError:
            self._lose(connection)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._lose(connection)
            return
        connection.got = got = connection.got + data if connection.got else data
        answer = answered(got)
        if answer is not None:
            status, open_ = answer
            self.ledger.close(connection.number, perf_counter() - self._begin, status, FALLBACK in got)
            self._release(connection, keep=open_)

    def _lose(self, connection: _Connection) -> None:
        """The connection broke; its request stays lost."""
        self._release(connection, keep=False)

    def _release(self, connection: _Connection, *, keep: bool) -> None:
        del self._busy[connection.socket.fileno()]
        if keep:
            self._idle.append(connection)
        else:
            self._poller.unregister(connection.socket)
            connection.socket.close()
            self._reopen()

    def _replace(self, descriptor: int) -> None:
        """The server closed a connection that was idle, as it may."""
        closed = next(connection for connection in self._idle if connection.socket.fileno() == descriptor)
        self._idle.remove(closed)
        self._poller.unregister(closed.socket)
        closed.socket.close()
        self._reopen()

    def _reopen(self) -> None:
        with suppress(OSError):  # it is gone, or just going
            self._open()

    def _open(self) -> None:
        connection = _Connection(self._port)
        self._poller.register(connection.socket, select.EPOLLIN)
        self._idle.append(connection)
