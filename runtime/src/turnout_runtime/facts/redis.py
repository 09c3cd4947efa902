"""Facts in Redis: one JSON object or packed vector per key.

Keys that requests ask for in one turn of the event loop travel in one MGET, over a few connections that stay open.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from turnout_runtime.facts.gather import Gather
from turnout_runtime.facts.source import Found, NoSuchKey, Scope, SourceFailed
from turnout_runtime.failure import redact
from turnout_runtime.text import encodable

_log = logging.getLogger("turnout.facts")
_CONNECTIONS = 4
_STUCK = 1.0  # seconds after which a silent connection is given up, so that a store that returns is found again
_PATIENCE = 1.0  # seconds that the start may wait for a connection


class RedisStore:
    """One Redis server, shared by the facts that live in it."""

    def __init__(self, url: str, longest_timeout: float) -> None:
        """Connects on first use; `longest_timeout` is in seconds.

        Raises `ValueError` or `TypeError` for what is no Redis URL, or has options that there are not.
        """
        patience = max(_STUCK, longest_timeout)
        self._client: Any = Redis.from_url(  # Any: redis types mget for its sync client, too
            url,
            max_connections=_CONNECTIONS,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),  # heals a connection gone stale
        )
        pool = self._client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # now and not on first use it should refuse an option
        self._gather = Gather(self._mget, _CONNECTIONS)

    def get(self, key: str, decode: Callable[[bytes], Found]) -> asyncio.Future[Found]:
        """The value under `key`; `NoSuchKey` when there is none, another exception when it cannot be had."""
        return self._gather.get(key, decode)

    async def connect(self) -> None:
        """Open a connection ahead of the first request, where the server answers."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._client.ping()
        except (RedisError, OSError, UnicodeError) as error:  # UnicodeError: a host that can be none
            _log.warning("redis does not answer", extra={"error": _text(error)})

    async def close(self) -> None:
        """Drop all connections."""
        await self._gather.close()
        await self._client.aclose()

    async def _mget(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        try:
            values: list[bytes | None] = await self._client.mget(keys)
        except (RedisError, OSError, UnicodeError) as error:
            raise SourceFailed(_text(error)) from None
        return values


def _text(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}")


class RedisFacts:
    """The keys of one fact: those of a store under a prefix."""

    def __init__(self, store: RedisStore, prefix: str, decode: Callable[[bytes], Found]) -> None:
        self._store, self._prefix, self._decode = store, prefix, decode

    def get(self, key: str, scope: Scope) -> asyncio.Future[Found]:
        """See `FactSource.get`."""
        if not encodable(key):  # it would spoil the round trip for others
            raise NoSuchKey(key)
        return self._store.get(self._prefix + key, self._decode)
