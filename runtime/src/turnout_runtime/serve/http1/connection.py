"""One connection: requests in, answers out, in the same order, one at a time."""

import asyncio
import logging
from collections import deque
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, cast

from turnout_runtime.errors import RequestError
from turnout_runtime.serve.http1.app import Answer, Begun
from turnout_runtime.serve.http1.intake import Intake
from turnout_runtime.serve.http1.other_end import in_kernel, when_gone
from turnout_runtime.serve.http1.request import Request

if TYPE_CHECKING:
    from turnout_runtime.serve.http1.server import Server

_log = logging.getLogger("turnout.serve")


class Connection(asyncio.Protocol):
    """Runs what its intake has parsed.

    While a request runs its successors wait; while the caller does not read its answers nothing new starts.
    """

    __slots__ = (
        "_app",
        "_intake",
        "_left",
        "_loop",
        "_paused",
        "_server",
        "_since",
        "_streams",
        "_task",
        "_transport",
        "_unread",
        "_waiting",
        "ended",
    )

    def __init__(self, server: "Server") -> None:
        self._server, self._app, self._loop = server, server.app, server.loop
        self._intake = Intake(self, server)
        self._task: asyncio.Task[None] | Begun | None = None
        self._waiting: deque[Request] = deque()
        self._unread: asyncio.Future[None] | None = None
        self._paused = False  # whether reading is
        self._streams = False
        self._since = server.now  # when the current state began
        self._left = 0  # bytes that were unread at the last look
        self.ended = False
        """Whether nothing more will be answered."""

    # -- the transport's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections[self] = None

    def data_received(self, data: bytes) -> None:
        """Parse it."""
        self._intake.feed(data)

    def eof_received(self) -> bool:
        """The caller sends no more: it has gone, or it has only closed its half and waits for its answers."""
        self._intake.stop()
        self._intake.more = False
        if self.free or self.ended or self._transport.get_extra_info("ssl_object") is not None:
            return False
        if not self._streams:
            when_gone(self._loop, self._transport, self._transport.abort)
        return True

    def connection_lost(self, _: Exception | None) -> None:
        """Nobody is there any more: what still runs for it ends."""
        self._server.connections.pop(self, None)
        self.ended = True
        self._waiting.clear()
        self._intake.stop()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The caller does not read what was written."""
        self._unread = self._loop.create_future()
        self._since = self._server.now

    def resume_writing(self) -> None:
        """The caller reads again."""
        unread, self._unread = self._unread, None
        if unread is not None and not unread.done():
            unread.set_result(None)
        self._proceed()

    # -- requests and their answers

    @property
    def free(self) -> bool:
        """Whether nothing is owed."""
        return self._task is None and not self._waiting

    def take(self, request: Request) -> None:
        """A request is complete, or refused: it is next, or waits for those before it."""
        if self._task is None and self._unread is None and not self._waiting:
            self._start(request)
            return
        self._waiting.append(request)
        if len(self._waiting) >= self._server.limits.pipelined and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _start(self, request: Request) -> None:
        begun: bytes | Begun | Answer | None = request.refusal
        if begun is None:
            try:
                begun = self._app.answer(request, self)
            except (Exception, asyncio.CancelledError) as error:
                begun = self._defect(request, error)
        if isinstance(begun, bytes):
            self._send(request, begun)
        elif isinstance(begun, CoroutineType):  # the abstract check is a slow one
            self._task = self._loop.create_task(self._run(request, begun))
        else:
            self._task = waits = cast(Begun, begun)
            waits.then(partial(self._finished, request))

    async def _run(self, request: Request, answer: Answer) -> None:
        try:
            content: bytes | BaseException | None = await answer
        except (Exception, asyncio.CancelledError) as error:
            content = error
        self._finished(request, content)

    def _finished(self, request: Request, content: bytes | BaseException | None) -> None:
        if isinstance(content, BaseException):
            if isinstance(content, asyncio.CancelledError | BrokenPipeError):
                self._transport.abort()  # the caller has gone, or the server ends
                return
            content = self._defect(request, content)
        self._task = None
        self._streams = False
        self._send(request, content)
        if self._waiting or self._paused or self._intake.expecting:
            self._proceed()

    def _defect(self, request: Request, error: BaseException) -> bytes:
        """What to say when the application failed, which it must not."""
        _log.error("the door failed", exc_info=error)
        request.keep_alive = False
        return self._app.refuse(request, RequestError("the log of the pod has the details"))

    def _send(self, request: Request, content: bytes | None) -> None:
        if content is not None:
            self._transport.write(content)
        self._since = self._server.now
        if not request.keep_alive or (self._intake.stopped and not self._waiting):
            self.end()

    def _proceed(self) -> None:
        waiting = self._waiting
        while waiting and self._task is None and self._unread is None:
            self._start(waiting.popleft())
        if self.ended:
            return
        if self._paused and len(waiting) < self._server.limits.pipelined:
            self._paused = False
            self._transport.resume_reading()
        self._intake.go_on()

    # -- parts of answers

    def interim(self, line: bytes) -> None:
        """Send a line that is no answer yet."""
        self._transport.write(line)

    async def write(self, piece: bytes) -> None:
        """Send a part of an answer; waits while the caller is slow to read. `BrokenPipeError` when it has gone."""
        if self.ended:
            raise BrokenPipeError
        self._streams = True
        self._transport.write(piece)
        if self._unread is not None:
            await self._unread

    # -- the end

    @property
    def idle(self) -> bool:
        """Whether nothing runs, waits or arrives."""
        return self._task is None and not self._waiting and self._intake.request is None

    def end(self) -> None:
        """Nothing more is answered. Lets the caller read what was written, even one that still sends."""
        if self.ended:
            return
        self.ended = True
        self._waiting.clear()
        self._since = self._server.now
        self._intake.stop()
        if not self._intake.more:
            self._transport.close()
            return
        if self._paused:
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def check(self, now: float) -> None:
        """Enforce the limits of time."""
        limits, unread = self._server.limits, self._transport.get_write_buffer_size()
        if unread:
            unread += in_kernel(self._transport)
        if unread < self._left:
            self._since = now  # it reads, however slowly
        self._left, age = unread, now - self._since
        if unread and (self.ended or self._unread is not None):
            if age > limits.write_seconds:
                self._transport.abort()
        elif self.ended:
            if age > limits.linger_seconds:
                self._transport.abort()
        elif self.idle:
            if age > (limits.idle_seconds if self._intake.used else limits.head_seconds):
                self._transport.close()
        else:
            self._intake.check(now)

    def abort(self) -> None:
        """Close at once, whatever is owed."""
        self._transport.abort()
