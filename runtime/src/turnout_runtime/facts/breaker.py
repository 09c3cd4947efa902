"""Leaves a source alone that fails, and finds out when it is back. Pure but for the log."""

import logging
import time
from collections.abc import Callable
from typing import Literal

from turnout_runtime.facts.source import BadValue, BreakerOpen, NoSuchKey, SourceFailed
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.facts")

State = Literal["closed", "open", "half_open"]


class Breaker:
    """`closed` until `failures` in a row, then `open`; after `reset` seconds `half_open`, which lets one attempt try.

    Counts how often it `opened`, and how many attempts it `refused`.
    """

    __slots__ = ("_clock", "_failed", "_failures", "_generation", "_reset", "_retry_at", "opened", "refused", "state")

    def __init__(self, failures: float, reset: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures, self._reset, self._clock = failures, reset, clock
        self.state: State = "closed"
        self.opened = self.refused = 0
        self._failed = self._generation = 0
        self._retry_at = 0.0

    def admit(self) -> int | None:
        """A ticket to try, for `judge`; None when the source is to be left alone."""
        if self.state == "open" and self._clock() >= self._retry_at:
            self._enter("half_open")
        elif self.state != "closed":
            self.refused += 1
            return None
        return self._generation

    def judge(self, ticket: int, well: bool) -> bool:
        """How an attempt ended, once; whether that changed the state. Attempts from before a change do not count."""
        if ticket != self._generation:
            return False
        if well:
            self._failed = 0
            return self.state != "closed" and self._enter("closed")
        self._failed += 1
        if self.state == "closed" and self._failed < self._failures:
            return False
        self._retry_at = self._clock() + self._reset
        self.opened += 1
        return self._enter("open")

    def _enter(self, state: State) -> bool:
        self.state = state
        self._generation += 1
        self._failed = 0
        return True


class Guard:
    """Asks a breaker for one fact, and tells what happens. A cancelled attempt has failed: its time was over."""

    def __init__(self, name: str, breaker: Breaker) -> None:
        """`name` is the fact's, for the log."""
        self._name, self.breaker = name, breaker
        self._throttle = Throttle()

    def admit(self) -> int:
        """A ticket to try, for `judge`; raises `BreakerOpen`."""
        ticket = self.breaker.admit()
        if ticket is None:
            raise BreakerOpen
        return ticket

    def judge(self, ticket: int, error: BaseException | None) -> None:
        """How the attempt ended, once."""
        if error is not None and not isinstance(error, NoSuchKey) and self._throttle.allows(type(error).__name__):
            _log.warning("a fact cannot be had", extra={"fact": self._name, "error": _text(error)})
        before = self.breaker.state
        if self.breaker.judge(ticket, error is None or isinstance(error, NoSuchKey | BadValue)):
            self._tell(before, self.breaker.state)

    def _tell(self, before: State, now: State) -> None:
        if now == "closed":
            _log.info("a fact can be had again", extra={"fact": self._name})
        elif before == "closed":
            _log.warning("a fact's source is left alone, but for one attempt now and then", extra={"fact": self._name})


def _text(error: BaseException) -> str:
    """Only our own words: a library's may quote a URL, a header or a value."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, SourceFailed | BadValue) else name
