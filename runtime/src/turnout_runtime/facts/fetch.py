"""Fetches a request's facts in parallel and settles each one: live, cached, stale, fallback, or missing.

A source answers at once where it can, and hands out futures where it cannot, so a request costs no task of its own
per fact, and a source is free to answer many requests with one round trip.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from turnout_runtime.errors import InvalidRequest, WorkflowError
from turnout_runtime.facts.source import BreakerOpen, FactSource, Found, NoSuchKey, Origin, Scope, Value
from turnout_runtime.facts.stats import FactStats
from turnout_runtime.facts.values import copied


@dataclass(frozen=True, slots=True)
class FactRule:
    """What a deployment declares about a fact: its source, its deadline in seconds, and what stands in for it.

    `stale` gives the last value under a key that may still be used when the source fails; `keyless` facts are fetched
    without a key too, since they come with the request; `bounded` says that the source keeps to the timeout by itself.
    """

    source: FactSource
    timeout: float
    fallback: Value | None = None
    stale: Callable[[str], Found | None] | None = None
    keyless: bool = False
    bounded: bool = False
    stats: FactStats = field(default_factory=FactStats)


@dataclass(slots=True)
class Fact:
    """One settled fact, as it is logged.

    `age_ms` is the time since the value was observed, else since it was fetched; None where nobody knows. `reason`
    says why it is not live: timeout, error, not_found, no_key, breaker_open.
    """

    value: Value | None
    source: Origin
    latency_ms: float
    age_ms: float | None = None
    reason: str | None = None


class Facts:
    """The facts of one request; `facts["weather"]` is the value (None when missing) once it was fetched."""

    __slots__ = ("_rules", "_scope", "settled")

    def __init__(self, rules: Mapping[str, FactRule], scope: Scope) -> None:
        self._rules = rules
        self._scope = scope
        self.settled: dict[str, Fact] = {}

    def __getitem__(self, name: str) -> Value | None:
        return self.settled[name].value

    def __contains__(self, name: str) -> bool:
        return name in self.settled

    @property
    def fallback_used(self) -> bool:
        """Whether any fact's value is a declared fallback."""
        return any(fact.source == "fallback" for fact in self.settled.values()) if self.settled else False

    @property
    def stale_used(self) -> bool:
        """Whether any fact's value is older than its cache allows, because its source failed."""
        return any(fact.source == "stale" for fact in self.settled.values()) if self.settled else False

    async def fetch(self, /, **keys: str | None) -> None:
        """Fetch facts by name and key, all at once, each within its own timeout and the request's remaining budget.

        A key of None means that there is nothing to ask for. Never raises for a source that fails: the fact is then
        a stale value, its declared fallback, or None. Raises `WorkflowError` for a name that is not declared or a key
        that is no string, and `InvalidRequest` for a fact that the caller sent in a wrong shape.
        """
        rules = self._rules
        for name, key in keys.items():
            if name not in rules:
                raise WorkflowError(f"fact {name!r} is not declared in the ModelDeployment's spec.facts")
            if key is not None and not isinstance(key, str):
                raise WorkflowError(f"fact {name!r}: the key is a {type(key).__name__}, but must be a string or None")
        fetch = _Fetch(rules, self.settled, self._scope)
        if fetch.start(keys):
            await fetch.settle()


class _Fetch:
    """One parallel fetch."""

    __slots__ = ("_done", "_longest", "_pending", "_rules", "_scope", "_settled", "_started")

    def __init__(self, rules: Mapping[str, FactRule], settled: dict[str, Fact], scope: Scope) -> None:
        self._rules, self._settled, self._scope = rules, settled, scope
        self._pending: dict[str, asyncio.Future[Found]] = {}
        self._longest = 0.0
        self._started = time.perf_counter()

    def start(self, keys: Mapping[str, str | None]) -> bool:
        """Ask for everything; whether there is something to wait for."""
        for name, key in keys.items():
            rule = self._rules[name]
            if key is None and not rule.keyless:
                self._fail(name, None, "no_key")
                continue
            try:
                found = rule.source.get(key or "", self._scope)
            except InvalidRequest:
                self._done = asyncio.get_running_loop().create_future()  # what is open ends all the same
                self._abandon()
                raise
            except Exception as error:
                self._fail(name, key, _reason(error))
                continue
            if isinstance(found, Found):
                self._succeed(name, found, None)
            else:
                self._await(name, key, found)
        return bool(self._pending)

    async def settle(self) -> None:
        """Wait until every fact is settled; when the request is cancelled, so is every open wish."""
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        remaining = self._scope.remaining()
        timer = loop.call_later(max(0.0, remaining), self._abandon) if remaining < self._longest else None
        try:
            await self._done
        finally:
            if timer is not None:
                timer.cancel()
            if self._pending:
                self._abandon()

    def _await(self, name: str, key: str | None, found: asyncio.Future[Found]) -> None:
        rule = self._rules[name]
        self._longest = max(self._longest, rule.timeout)
        self._pending[name] = found
        timer = None if rule.bounded else found.get_loop().call_later(rule.timeout, found.cancel)

        def finish(done: asyncio.Future[Found]) -> None:
            if timer is not None:
                timer.cancel()
            self._finish(name, key, done)

        found.add_done_callback(finish)

    def _abandon(self) -> None:
        for future in list(self._pending.values()):
            future.cancel()

    def _finish(self, name: str, key: str | None, done: asyncio.Future[Found]) -> None:
        del self._pending[name]
        if done.cancelled():
            self._fail(name, key, "timeout")
        elif (error := done.exception()) is not None:
            self._fail(name, key, _reason(error))
        else:
            self._succeed(name, done.result(), None)
        self._rules[name].stats.latency.observe(self._settled[name].latency_ms / 1e3)
        if not self._pending and not self._done.done():
            self._done.set_result(None)

    def _succeed(self, name: str, found: Found, reason: str | None) -> None:
        stats, age = self._rules[name].stats, found.stored_for
        if found.as_of_ns is not None:
            age = max(0.0, (self._scope.time_ns - found.as_of_ns) / 1e9)
        if age is not None:
            stats.age.observe(age)
            age = int(age * 1e6) / 1e3
        self._settle(name, Fact(found.value, found.origin, self._latency(), age, reason), stats)

    def _fail(self, name: str, key: str | None, reason: str) -> None:
        rule = self._rules[name]
        rule.stats.reasons[reason] += 1
        if rule.stale is not None and key is not None and reason != "not_found":
            stale = rule.stale(key)
            if stale is not None:
                self._succeed(name, stale, reason)
                return
        value = None if rule.fallback is None else copied(rule.fallback)
        origin: Origin = "missing" if value is None else "fallback"
        self._settle(name, Fact(value, origin, self._latency(), None, reason), rule.stats)

    def _settle(self, name: str, fact: Fact, stats: FactStats) -> None:
        self._settled[name] = fact
        stats.sources[fact.source] += 1

    def _latency(self) -> float:
        """Milliseconds, cut off at whole microseconds."""
        return int((time.perf_counter() - self._started) * 1e6) / 1e3


def _reason(error: BaseException) -> str:
    match error:
        case NoSuchKey():
            return "not_found"
        case BreakerOpen():
            return "breaker_open"
        case TimeoutError():
            return "timeout"
        case _:
            return "error"
