"""Everything that one request leaves behind, filled in as it goes through the stages."""

import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import orjson
import xxhash

from turnout_runtime.errors import BodyTooLarge, Draining, InvalidRequest, Overloaded, RequestError, RequestTimeout
from turnout_runtime.facts import Fact
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Decision, Request

Status = Literal["ok", "shed", "timeout", "error", "invalid"]
Stage = Literal["queue", "facts", "features", "model", "decide"]
STAGES: tuple[Stage, ...] = ("queue", "facts", "features", "model", "decide")
_NO_FACTS: Mapping[str, Fact] = {}


@dataclass(slots=True)
class Prediction:
    """One request's way. Times of `started`, `since` and `total` are seconds of the monotonic performance counter.

    `stages` has the seconds spent in each stage that was reached, also one that was cut short.
    """

    route: Route
    prediction_id: str
    time_ns: int
    started: float
    status: Status = "ok"
    error: BaseException | None = None
    request: Request | None = None
    context_json: orjson.Fragment | None = None
    facts: Mapping[str, Fact] = field(default_factory=lambda: _NO_FACTS)
    features: Mapping[str, float] | None = None
    decision: Decision | None = None
    fallback_used: bool = False
    stages: dict[Stage, float] = field(default_factory=dict)
    total: float = 0.0
    _stage: Stage | None = None
    _since: float = 0.0

    def accept(self, request: Request) -> None:
        """Take the parsed request; its context is kept as it came, whatever the workflow does to it later."""
        self.request = request
        self.context_json = orjson.Fragment(orjson.dumps(request.context))

    def enter(self, stage: Stage | None) -> None:
        """The current stage ends here and, unless None, the next one begins."""
        now = time.perf_counter()
        if self._stage is not None:
            self.stages[self._stage] = now - self._since
        self._stage, self._since = stage, now

    def fail(self, error: BaseException) -> None:
        """It ends with this error."""
        self.error, self.status = error, _status(error)

    def finish(self) -> None:
        """Nothing more happens."""
        self.enter(None)
        self.total = time.perf_counter() - self.started

    @property
    def error_type(self) -> str | None:
        """What went wrong, in a word: a problem's slug, the cause of a shed request, or an exception's class."""
        if isinstance(self.error, Overloaded):
            return self.error.cause
        if isinstance(self.error, RequestError):
            return self.error.slug
        return None if self.error is None else type(self.error).__name__


def _status(error: BaseException) -> Status:
    match error:
        case Overloaded() | Draining():
            return "shed"
        case RequestTimeout():
            return "timeout"
        case InvalidRequest() | BodyTooLarge():
            return "invalid"
        case _:
            return "error"


class Ids:
    """Makes prediction ids: opaque tokens that still tell us the revision and the time they were made at."""

    def __init__(self, revision: str) -> None:
        self._prefix = xxhash.xxh32_digest(revision.encode())

    def new(self, time_ns: int) -> str:
        """22 URL-safe characters: 4 bytes of revision hash, 6 of milliseconds since 1970, 6 random."""
        token = self._prefix + (time_ns // 1_000_000).to_bytes(6, "big") + os.urandom(6)
        return base64.urlsafe_b64encode(token)[:22].decode()


def rfc3339(time_ns: int) -> str:
    """UTC time with microseconds."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=4)  # thousands of requests share a second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
