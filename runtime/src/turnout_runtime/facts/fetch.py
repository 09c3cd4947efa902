"""Fetches a request's facts in parallel and settles each one: live, fallback, or missing.

A source hands out futures, so a request costs no task of its own per fact, and a source is free to answer many
requests with one round trip.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from turnout_runtime.errors import WorkflowError

Value = dict[str, Any]
Origin = Literal["live", "fallback", "missing"]


class NoSuchKey(Exception):
    """The source answered, and has nothing under this key."""


class FactSource(Protocol):
    """Where one kind of fact comes from."""

    def get(self, key: str) -> asyncio.Future[Value]:
        """The value under a key, later; cancelling the future abandons the wish. `NoSuchKey` when there is none."""


@dataclass(frozen=True, slots=True)
class FactRule:
    """What a deployment declares about a fact: its source, its deadline in seconds, and what stands in for it."""

    source: FactSource
    timeout: float
    fallback: Value | None = None


@dataclass(slots=True)
class Fact:
    """One settled fact, as it is logged. `reason` says why it is not live: timeout, error, not_found, no_key."""

    value: Value | None
    source: Origin
    latency_ms: float
    reason: str | None = None


class Facts:
    """The facts of one request; `facts["weather"]` is the value (None when missing) once it was fetched."""

    __slots__ = ("_remaining", "_rules", "settled")

    def __init__(self, rules: Mapping[str, FactRule], remaining: Callable[[], float]) -> None:
        self._rules = rules
        self._remaining = remaining
        self.settled: dict[str, Fact] = {}

    def __getitem__(self, name: str) -> Value | None:
        return self.settled[name].value

    def __contains__(self, name: str) -> bool:
        return name in self.settled

    @property
    def fallback_used(self) -> bool:
        """Whether any fact's value is a declared fallback."""
        return bool(self.settled) and any(fact.source == "fallback" for fact in self.settled.values())

    async def fetch(self, **keys: str | None) -> None:
        """Fetch facts by name and key, all at once, each within its own timeout and the request's remaining budget.

        A key of None means that there is nothing to ask for. Never raises for a source that fails: the fact is then
        its declared fallback, or None. Raises `WorkflowError` for a name that the deployment does not declare.
        """
        for name in keys:
            if name not in self._rules:
                raise WorkflowError(f"fact {name!r} is not declared in the ModelDeployment's spec.facts")
        await _Round(self._rules, self.settled, keys, self._remaining()).settle()


class _Round:
    """One parallel fetch."""

    __slots__ = ("_done", "_loop", "_pending", "_rules", "_settled", "_started")

    def __init__(
        self, rules: Mapping[str, FactRule], settled: dict[str, Fact], keys: Mapping[str, str | None], budget: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._rules, self._settled = rules, settled
        self._done = self._loop.create_future()
        self._pending: dict[str, asyncio.Future[Value]] = {}
        self._started = time.perf_counter()
        for name, key in keys.items():
            if key is None:
                self._close(name, None, "no_key")
            else:
                self._start(name, key, min(rules[name].timeout, budget))

    def _start(self, name: str, key: str, timeout: float) -> None:
        future = self._rules[name].source.get(key)
        timer = self._loop.call_later(timeout, future.cancel)
        self._pending[name] = future

        def finish(done: asyncio.Future[Value]) -> None:
            timer.cancel()
            self._finish(name, done)

        future.add_done_callback(finish)

    async def settle(self) -> None:
        """Wait until every fact is settled; when the request is cancelled, so is every open wish."""
        if not self._pending:
            return
        try:
            await self._done
        finally:
            for future in list(self._pending.values()):
                future.cancel()

    def _finish(self, name: str, done: asyncio.Future[Value]) -> None:
        del self._pending[name]
        if done.cancelled():
            self._close(name, None, "timeout")
        elif (error := done.exception()) is not None:
            self._close(name, None, "not_found" if isinstance(error, NoSuchKey) else "error")
        else:
            self._close(name, done.result(), None)
        if not self._pending and not self._done.done():
            self._done.set_result(None)

    def _close(self, name: str, value: Value | None, reason: str | None) -> None:
        latency = round((time.perf_counter() - self._started) * 1000, 3)
        origin: Origin = "live"
        if reason is not None:
            value = deepcopy(self._rules[name].fallback)  # the workflow may change what it gets
            origin = "missing" if value is None else "fallback"
        self._settled[name] = Fact(value, origin, latency, reason)
