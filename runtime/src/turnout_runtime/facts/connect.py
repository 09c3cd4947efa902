"""Builds the declared facts: from the inside out a source, its breaker and single-flight, and the cache."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts.breaker import Breaker, Guard
from turnout_runtime.facts.caller import CallerFacts
from turnout_runtime.facts.fetch import FactRule
from turnout_runtime.facts.flights import Cached, Flights
from turnout_runtime.facts.memory import Memory
from turnout_runtime.facts.plugin import plugin
from turnout_runtime.facts.source import FactSource
from turnout_runtime.facts.stats import FactStats
from turnout_runtime.facts.values import Decoder

if TYPE_CHECKING:
    from turnout_runtime.config import FactConfig, FeastLocation, HttpLocation, RedisLocation

_NEVER = float("inf")


class Store(Protocol):
    """What is behind sources: opened before the first request, closed after the last."""

    async def connect(self) -> None:
        """Prepare; one that is down is no reason not to serve: facts have fallbacks. Raises `ConfigInvalid`."""

    async def close(self) -> None:
        """Drop all connections."""


@dataclass(frozen=True, slots=True)
class FactStores:
    """The rules for each fact, and the servers behind them."""

    rules: Mapping[str, FactRule]
    stores: tuple[Store, ...]

    async def warm(self) -> None:
        """Open a connection to each server that answers. Raises `ConfigInvalid`."""
        await asyncio.gather(*(store.connect() for store in self.stores))

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(store.close() for store in self.stores))

    def stats(self) -> Mapping[str, FactStats]:
        """Each fact's numbers, for the metrics."""
        return {name: rule.stats for name, rule in self.rules.items()}


def connect(facts: "Mapping[str, FactConfig]", budget: float = _NEVER) -> FactStores:
    """The rules and stores for what is declared; opens nothing yet. Raises `ConfigInvalid`.

    `budget` is the most seconds that any request has for its facts: no fetch goes on for longer.
    """
    build = _Build(facts, budget)
    rules = {name: build.rule(name, fact, min(fact.timeout_seconds, budget)) for name, fact in facts.items()}
    return FactStores(rules, tuple(build.stores.values()))


class _Build:
    """One store per server, so that facts that live together travel together."""

    def __init__(self, facts: "Mapping[str, FactConfig]", budget: float) -> None:
        self.stores: dict[tuple[str, ...], Store] = {}
        self._facts, self._budget = facts, budget

    def rule(self, name: str, fact: "FactConfig", timeout: float) -> FactRule:
        """The fact's rule."""
        if fact.caller is not None:
            caller = CallerFacts(fact.caller.field or name, fact.timestamp_field)
            return FactRule(caller, timeout, fact.fallback, keyless=True)
        settings = fact.breaker
        breaker = Breaker(settings.failures, settings.reset_seconds) if settings else Breaker(_NEVER, 0.0)
        source, guard = self._source(name, fact, timeout), Guard(name, breaker)
        if fact.cache is None:
            flights = Flights(source, timeout, guard)
            return FactRule(flights, timeout, fact.fallback, bounded=True, stats=FactStats(breaker, flights))
        memory = Memory(fact.cache.ttl_seconds, fact.cache.stale_if_error_seconds, fact.cache.max_entries)
        flights = Flights(source, timeout, guard, memory)
        cached = Cached(flights, memory)
        stats = FactStats(breaker, flights, cached)
        return FactRule(cached, timeout, fact.fallback, memory.stale, bounded=True, stats=stats)

    def _source(self, name: str, fact: "FactConfig", timeout: float) -> FactSource:
        if fact.redis is not None:
            return self._redis(f"facts.{name}.redis", fact.redis, fact.timestamp_field)
        if fact.http is not None:
            return self._http(f"facts.{name}.http", fact.http, timeout, fact.timestamp_field)
        if fact.feast is not None:
            return self._feast(f"facts.{name}.feast", fact.feast)
        assert fact.plugin is not None
        made = plugin(f"facts.{name}.plugin", fact.plugin.name, fact.plugin.options, fact.timestamp_field)
        self.stores["plugin", name] = made
        return made

    def _redis(self, field: str, location: "RedisLocation", timestamp_field: str | None) -> FactSource:
        from turnout_runtime.facts.redis import RedisFacts, RedisStore  # an extra, and slow to import

        url = location.resolve(field)
        store = self.stores.get(("redis", url))
        if not isinstance(store, RedisStore):
            try:
                store = self.stores["redis", url] = RedisStore(url, self._longest("redis"))
            except (ValueError, TypeError):  # their texts quote the URL
                raise ConfigInvalid(
                    f"{field}: the URL must be redis://… or rediss://… with redis-py's options"
                ) from None
        return RedisFacts(store, location.key_prefix, Decoder(location.encoding, timestamp_field))

    def _http(self, field: str, location: "HttpLocation", timeout: float, timestamp_field: str | None) -> FactSource:
        from turnout_runtime.facts.http import HttpFacts

        decode, headers = Decoder("json", timestamp_field), location.resolve(field)
        source = HttpFacts(location.url, headers, timeout, decode, location.max_connections)
        self.stores["http", field] = source
        return source

    def _feast(self, field: str, location: "FeastLocation") -> FactSource:
        from turnout_runtime.facts.feast import FeastFacts, FeastStore

        config = location.resolve(field)
        store = self.stores.get(("feast store", config))
        if not isinstance(store, FeastStore):
            store = self.stores["feast store", config] = FeastStore(field, config, self._longest("feast"))
        source = self.stores["feast", field] = FeastFacts(store, location.features, location.join_key)
        return source

    def _longest(self, kind: str) -> float:
        """Seconds that somebody may wait for an answer of such a store."""
        return min(self._budget, max(fact.timeout_seconds for fact in self._facts.values() if getattr(fact, kind)))
