"""Answers as bytes."""

import time
from email.utils import formatdate
from http import HTTPStatus

from turnout_runtime.serve.http1.request import Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"
_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: turnout\r\nDate: ".encode()
    for status in HTTPStatus
}


class Date:
    """The time as headers tell it; the server sets it a few times a second, instead of once a request."""

    text = b""

    @classmethod
    def tick(cls) -> None:
        """Take the time now."""
        cls.text = formatdate(time.time(), usegmt=True).encode()


Date.tick()


def respond(request: Request, status: int, content_type: bytes, body: bytes, headers: bytes = b"") -> bytes:
    """The whole answer. `headers` are complete lines. HEAD gets the head alone, as the method demands."""
    head = b"%b%b\r\nContent-Type: %b\r\n%b%bContent-Length: %d\r\n\r\n" % (
        _LINES[status],
        Date.text,
        content_type,
        headers,
        connection_line(request),
        len(body),
    )
    return head if request.method == b"HEAD" else head + body


def stream_head(request: Request, content_type: bytes, headers: bytes = b"") -> bytes:
    """The head of an answer of unknown length: chunked, or up to the connection's end for HTTP/1.0."""
    if request.old:
        request.keep_alive = False
    coding = b"" if request.old else b"Transfer-Encoding: chunked\r\n"
    parts = (_LINES[200], Date.text, content_type, headers, connection_line(request), coding)
    return b"%b%b\r\nContent-Type: %b\r\nCache-Control: no-store\r\n%b%b%b\r\n" % parts


def connection_line(request: Request) -> bytes:
    """What to say about the connection: only what is not the version's default."""
    if request.keep_alive:
        return _KEEP if request.old else b""
    return _CLOSE
