"""What comes in on one connection: llhttp's events made into requests, and everything that is refused on the way."""

import logging
import time
from typing import TYPE_CHECKING

import httptools

from turnout_runtime.errors import HeadTooLarge, InvalidRequest, MethodNotAllowed, RequestError, RequestTooSlow
from turnout_runtime.serve.http1.framing import has_body, objection, too_large
from turnout_runtime.serve.http1.outlet import Outlet
from turnout_runtime.serve.http1.request import Request
from turnout_runtime.serve.http1.response import CONTINUE

if TYPE_CHECKING:
    from turnout_runtime.serve.http1.server import Server

_log = logging.getLogger("turnout.serve")
_SLICE = 16 * 1024  # bytes between two looks at the size of a head
_FRAMING = 8  # bytes on the wire for a byte of body: a chunk of one byte has six


class _Refused(Exception):  # not an error: it only ends the parser's work
    pass


class Intake:
    """The parser of one connection; the `on_…` methods are llhttp's events."""

    __slots__ = (
        "_app",
        "_heads",
        "_limits",
        "_outlet",
        "_parser",
        "_server",
        "_since",
        "_stalled",
        "_whole",
        "_wire",
        "expecting",
        "more",
        "request",
        "stopped",
        "used",
    )

    def __init__(self, outlet: Outlet, server: "Server") -> None:
        self._outlet, self._server = outlet, server
        self._app, self._limits, self._heads = server.app, server.limits, server.heads
        self._parser = httptools.HttpRequestParser(self)
        self._whole: bytes | None = None  # what is being parsed, where a request may begin and end with it
        self._wire, self._since = 0, 0.0
        self._stalled: Request | None = None
        self.request: Request | None = None
        """What arrives now."""
        self.expecting = False
        """Whether the caller holds a body back until it is asked for it."""
        self.stopped = False
        """Nothing that still comes is looked at."""
        self.more = False
        """Whether something is known to come that is not looked at."""
        self.used = False
        """Whether a request was ever begun in earnest: its head was complete."""

    def feed(self, data: bytes) -> None:
        """Parse what was read."""
        if self.stopped:
            return
        self._whole = None
        if self.request is None and self._stalled is None:
            if (request := self._heads.repeated(data)) is not None:
                self.used = True
                request.refusal = self._app.begin(request)
                self._outlet.take(request)
                return
            self._whole = data
        try:
            if len(data) <= _SLICE:
                self._feed(data)
            else:
                view = memoryview(data)
                for start in range(0, len(view), _SLICE):
                    self._feed(view[start : start + _SLICE])
        except httptools.HttpParserError as error:
            self._broken(error, data)

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        if self.request is not None:
            self._weigh(self.request, len(data))

    def _weigh(self, request: Request, read: int) -> None:
        """A request that is still incomplete: neither head nor framing (chunk sizes, trailers) may grow on and on."""
        self._wire += read
        limit = self._limits.head_bytes
        error: RequestError | None = None
        if not request.started:
            if self._wire > limit:
                error = HeadTooLarge(f"the limit is {limit} bytes")
        elif self._wire > 2 * limit + _FRAMING * request.size:
            error = InvalidRequest("there is more framing than body")
        if error is not None:
            self._refuse(request, error)
            raise httptools.HttpParserCallbackError

    # -- llhttp's events

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.request = self._stalled or Request()
        self._wire = 0
        self._since = self._server.now

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        request = self.request
        assert request is not None
        if not request.started:
            request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        request = self.request
        assert request is not None
        if not request.started:  # trailers come later, and mean nothing here
            request.add_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: object, answer at once, or let the body come."""
        request, parser = self.request, self._parser
        assert request is not None
        if request.started:
            return
        self.used = True
        self._since = self._server.now
        request.started = time.perf_counter()
        request.method = parser.get_method()
        request.old = parser.get_http_version() != "1.1"
        request.keep_alive = parser.should_keep_alive() and not parser.should_upgrade()
        error = objection(request, self._limits)
        if error is not None:
            self._refuse(request, error)
            raise _Refused
        if "expect" in request.headers and not request.old:
            self._expected(request)
        else:
            request.refusal = self._app.begin(request)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        request = self.request
        assert request is not None
        if request.size + len(piece) > self._limits.body_bytes:
            self._refuse(request, too_large(self._limits))
            raise _Refused
        if request.refusal is None:
            request.add_body(piece)
        else:
            request.size += len(piece)

    def on_message_complete(self) -> None:
        """The whole request is there."""
        request, self.request = self.request, None
        if request is None:
            return
        if self._parser.should_upgrade() and has_body(request) and request.method != b"CONNECT":
            self._stalled = request
            return
        request.seal()
        if self._whole is not None:
            self._heads.learn(self._whole, request)
        if not request.keep_alive:
            self.stopped = True
        self._outlet.take(request)

    def _decline(self, rest: bytes | memoryview) -> None:
        """Go on in HTTP/1.1 with a request that offers another protocol; llhttp has skipped its body."""
        request, self._parser = self._stalled, httptools.HttpRequestParser(self)
        if request is not None:
            framing = "content-length" if "content-length" in request.headers else "transfer-encoding"
            line = f"POST / HTTP/1.1\r\n{framing}: {request.headers[framing]}\r\n\r\n"
            self._parser.feed_data(line.encode())
            self._parser.feed_data(rest)

    # -- what is not in order

    def _expected(self, request: Request) -> None:
        """The caller waits with the body until it is told to go on; what is refused before that ends the connection."""
        kept, request.keep_alive = request.keep_alive, False
        request.refusal = self._app.begin(request)
        if request.refusal is not None:
            self._give_up(request)
            raise _Refused
        request.keep_alive = kept
        self.expecting = True
        self.go_on()

    def go_on(self) -> None:
        """Ask for the body that is held back, once everything before it is answered."""
        if self.expecting and self._outlet.free:
            self.expecting = False
            if self.request is not None and not self.request.size:
                self._outlet.interim(CONTINUE)

    def _broken(self, error: httptools.HttpParserError, data: bytes) -> None:
        self.more = True
        if self.stopped:  # refused already, or something after a last request
            return
        request, cause = self.request or Request(), error.__context__
        if cause is not None:
            _log.error("the door failed", exc_info=cause)
            self._refuse(request, RequestError("the log of the pod has the details"))
            return
        if isinstance(error, httptools.HttpParserInvalidMethodError) and data[:1].isalpha():
            self._refuse(request, MethodNotAllowed("this method is not known"))
        else:
            self._refuse(request, InvalidRequest(f"not HTTP/1.1: {error}"))

    def _refuse(self, request: Request, error: RequestError) -> None:
        """Answer with the error, unless there is an answer, and look at nothing more."""
        request.keep_alive = False
        if request.refusal is None:
            request.refusal = self._app.refuse(request, error)
        self._give_up(request)

    def _give_up(self, request: Request) -> None:
        self.request, self.stopped, self.more = None, True, True
        self._outlet.take(request)

    # -- time

    def check(self, now: float) -> None:
        """Refuse a request that has been arriving for too long."""
        request = self.request
        if request is None:
            return
        limits = self._limits
        patience = limits.body_seconds if request.patience is None else request.patience
        part, limit = ("body", patience) if request.started else ("head", limits.head_seconds)
        if now - self._since > limit:
            self._refuse(request, RequestTooSlow(f"its {part} was not complete within {limit:g} s"))

    def stop(self) -> None:
        """Look at nothing more."""
        if self.request is not None:
            self.request, self.more = None, True
        self.stopped = True
