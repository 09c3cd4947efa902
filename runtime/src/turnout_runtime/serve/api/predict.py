"""The prediction endpoint: one JSON question, one JSON answer, or a stream of events."""

import asyncio
from typing import Any

import orjson

from turnout_runtime.errors import RequestError, WorkflowError
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.turn import Turn
from turnout_runtime.serve.api.body import unpacked
from turnout_runtime.serve.api.replies import Replies, ids
from turnout_runtime.serve.http1 import Request
from turnout_runtime.serve.http1.app import Answer, Begun
from turnout_runtime.serve.http1.connection import Connection
from turnout_runtime.serve.http1.response import stream_head
from turnout_runtime.serve.problems import document

EVENTS = b"text/event-stream"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class Predictor:
    """Asks the dataplane."""

    def __init__(self, dataplane: Dataplane, replies: Replies, revision: str, max_body: int) -> None:
        self._dataplane, self._replies = dataplane, replies
        self._revision, self._max_body = revision, max_body
        self._fresh: list[tuple[Turn[bytes], Request]] = []

    def __call__(self, request: Request, connection: Connection) -> bytes | Begun | Answer:
        """Answer `request`, whose route is known."""
        headers = request.headers
        if "content-encoding" in headers:
            try:
                request.body = unpacked(request, self._max_body)
            except RequestError as error:
                return self._replies.failure(request, self._dataplane.refuse(request.route, error))
        if "text/event-stream" in headers.get("accept", ""):
            return self._stream(request, connection)
        turn: Turn[bytes] = Turn()
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._begin)
        self._fresh.append((turn, request))
        return turn

    @property
    def coming(self) -> int:
        """Requests that are complete, and begin as soon as all that came with them are read.

        One part of the work for all of them, then the next: so the processor's caches keep the code of each.
        """
        return len(self._fresh)

    def _begin(self) -> None:
        fresh, self._fresh = self._fresh, []
        for turn, request in fresh:
            turn.begin(self._predict(request, turn))

    async def _predict(self, request: Request, turn: Turn[bytes]) -> bytes:
        route, body = request.route, request.body
        prediction = await self._dataplane.predict(route, body, started=request.started, turn=turn)
        if prediction.error is not None:
            return self._replies.failure(request, prediction)
        return self._replies.json(request, self._body(prediction))

    def _body(self, prediction: Prediction) -> bytes:
        return orjson.dumps(answer(prediction, self._revision), option=_OPTIONS)

    async def _stream(self, request: Request, connection: Connection) -> bytes | None:
        """Chunks as they come, at last the decision. An error before the first chunk is an ordinary answer."""
        stream = _Events(request, connection, self._replies)
        prediction = await self._dataplane.predict(
            request.route, request.body, started=request.started, emit=stream.chunk
        )
        if prediction.error is None:
            await stream.send("decision", self._body(prediction))
        elif stream.begun:
            await stream.send("problem", orjson.dumps(document(prediction.error, ids(prediction))))
        else:
            return self._replies.failure(request, prediction)
        return stream.last


class _Events:
    """Server-sent events (WHATWG HTML, 9.2) as one answer."""

    def __init__(self, request: Request, connection: Connection, replies: Replies) -> None:
        self._request, self._connection, self._replies = request, connection, replies
        self.begun = False

    async def chunk(self, chunk: Any) -> None:
        """One of the workflow's own chunks."""
        try:
            data = orjson.dumps(chunk, option=_OPTIONS)
        except TypeError as error:
            raise WorkflowError(f"decide() yielded what is no JSON: {error}") from None
        await self.send("chunk", data)

    async def send(self, event: str, data: bytes) -> None:
        """One event; waits for slow readers."""
        piece = b"event: %b\ndata: %b\n\n" % (event.encode(), data)
        if not self._request.old:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if not self.begun:
            self.begun = True
            self._replies.settle(self._request)
            piece = stream_head(self._request, EVENTS, self._replies.lines) + piece
        await self._connection.write(piece)

    @property
    def last(self) -> bytes | None:
        """What ends the answer."""
        return None if self._request.old else b"0\r\n\r\n"
