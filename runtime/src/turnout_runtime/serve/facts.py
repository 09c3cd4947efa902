"""Builds the declared fact sources."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnout_runtime.config import FactConfig, RedisLocation, from_env
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import FactRule

if TYPE_CHECKING:
    from turnout_runtime.facts.redis import RedisStore

_PATIENCE = 1.0  # seconds that the start may wait for connections


@dataclass(frozen=True, slots=True)
class FactStores:
    """The rules for each fact, and the servers behind them."""

    rules: Mapping[str, FactRule]
    stores: "tuple[RedisStore, ...]"

    async def warm(self) -> None:
        """Open a connection to each server; one that is down is no reason not to serve: facts have fallbacks."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*(store.connect() for store in self.stores))

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(store.close() for store in self.stores))


def connect(facts: Mapping[str, FactConfig]) -> FactStores:
    """One store per server, so that facts that live together travel together. Raises `ConfigInvalid`."""
    if not facts:
        return FactStores({}, ())
    from turnout_runtime.facts.redis import RedisFacts  # an optional dependency, and slow to import

    urls = {name: _url(name, fact.redis) for name, fact in facts.items() if fact.redis}
    stores = {url: _store(url, [name for name in facts if urls[name] == url], facts) for url in set(urls.values())}
    rules = {
        name: FactRule(RedisFacts(stores[urls[name]], fact.redis.key_prefix), fact.timeout_seconds, fact.fallback)
        for name, fact in facts.items()
        if fact.redis
    }
    return FactStores(rules, tuple(stores.values()))


def _store(url: str, names: Sequence[str], facts: Mapping[str, FactConfig]) -> "RedisStore":
    from turnout_runtime.facts.redis import RedisStore

    try:
        return RedisStore(url, max(facts[name].timeout_seconds for name in names))
    except ValueError as error:
        raise ConfigInvalid(f"facts.{names[0]}.redis: the URL must be redis://… or rediss://…") from error


def _url(name: str, location: RedisLocation) -> str:
    return location.url or from_env(f"facts.{name}.redis", location.url_from_env or "")
