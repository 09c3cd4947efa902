"""Heads that came before, byte for byte: callers that keep a connection repeat theirs, and need no parser for it.

Parsing takes an eighth of a whole prediction. What is remembered was accepted by the parser as the head of exactly one
request, and only a head that is equal to it in every byte is taken for it.
"""

import time

from turnout_runtime.serve.http1.request import Request

_END = b"\r\n\r\n"
_MAX_HEADS = 512
_MAX_BYTES = 2048
_UNIQUE = frozenset({"x-request-id", "traceparent"})  # made for one request: such a head never comes again
_ODD = frozenset({"transfer-encoding", "expect", "upgrade"})


class Heads:
    """Remembers a bounded number of heads, each with what the application found out about it."""

    def __init__(self) -> None:
        self._known: dict[bytes, Request] = {}

    def repeated(self, data: bytes) -> Request | None:
        """The request in `data`, if that is a known head and its whole body, and nothing else."""
        end = data.find(_END) + 4
        known = self._known.get(data[:end])
        if known is None or len(data) - end != known.size:
            return None
        request = Request()
        request.method, request.target, request.headers = known.method, known.target, known.headers
        request.endpoint, request.route = known.endpoint, known.route
        request.body, request.size = data[end:], known.size
        request.started = time.perf_counter()
        return request

    def learn(self, data: bytes, request: Request) -> None:
        """Remember the head of a request that was parsed from `data`, if it may come again just so."""
        end, headers = data.find(_END) + 4, request.headers
        plain = request.keep_alive and not request.old and request.refusal is None
        if not plain or len(data) - end != request.size or end > _MAX_BYTES:
            return
        if "content-length" not in headers or headers.keys() & _ODD or headers.keys() & _UNIQUE:
            return
        if len(self._known) >= _MAX_HEADS:
            self._known.clear()
        known = self._known[data[:end]] = Request()
        known.method, known.target, known.headers = request.method, request.target, headers
        known.endpoint, known.route, known.size = request.endpoint, request.route, request.size
