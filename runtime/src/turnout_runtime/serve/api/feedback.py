"""The feedback endpoint: what came of predictions, kept before it is answered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from turnout_runtime.errors import InvalidFeedback, RequestError
from turnout_runtime.feedback.keep import FeedbackLog
from turnout_runtime.feedback.parse import SLICE, Rows, parse, rows_of
from turnout_runtime.feedback.record import Records
from turnout_runtime.predict.claims import HEADER, claims_of
from turnout_runtime.serve.api.body import unpacked
from turnout_runtime.serve.api.replies import Replies
from turnout_runtime.serve.http1 import Request
from turnout_runtime.serve.http1.app import Answer
from turnout_runtime.serve.http1.connection import Connection
from turnout_runtime.serve.metrics.feedback import FeedbackCounts

PATIENCE = 10.0
"""Seconds for a body to arrive: a thousand rows over a slow line are no question that waits for its answer."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where feedback goes, how it is written, and where it is counted."""

    log: FeedbackLog
    records: Records
    counts: FeedbackCounts


class Feedback:
    """Checks what comes, keeps it, and counts what became of it."""

    def __init__(self, keeper: Keeper, replies: Replies, max_body: int) -> None:
        self._keeper, self._replies, self._max_body = keeper, replies, max_body

    def __call__(self, request: Request, _: Connection) -> Answer:
        """Answer `request`, whose endpoint is known."""
        return self._take(request)

    def refuse(self, request: Request, error: RequestError) -> bytes:
        """Tell why nothing is kept, and each row that is wrong."""
        self._keeper.counts.refused(error)
        members: dict[str, Any] = {}
        if isinstance(error, InvalidFeedback):
            members["rows"] = [{"row": row, "detail": text} for row, text in error.faults]
        return self._replies.problem(request, error, members=members)

    async def _take(self, request: Request) -> bytes:
        keeper = self._keeper
        try:
            body = unpacked(request, self._max_body) if "content-encoding" in request.headers else request.body
            lines = await self._lines(request, rows_of(body))
            await keeper.log.keep(lines)
        except RequestError as error:
            return self.refuse(request, error)
        keeper.counts.accepted(len(lines))
        return self._replies.accepted(request, b'{"accepted":%d}' % len(lines))

    async def _lines(self, request: Request, came: Rows) -> Sequence[bytes]:
        """The rows as lines of the log; other requests go on between slices of them."""
        now, lines = time.time_ns(), list[bytes]()
        caller = claims_of(request.headers.get(HEADER))
        for outcomes in parse(came):
            lines += self._keeper.records(outcomes, request.endpoint.objective, caller, now)
            if len(came.rows) > SLICE:
                await asyncio.sleep(0)
        return lines
