"""Facts in Redis: one JSON object per key.

Keys that requests ask for in one turn of the event loop travel in one MGET, over a few connections that stay open.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from turnout_runtime.facts.source import Found, NoSuchKey, Scope
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.facts")
_CONNECTIONS = 4
_BATCH = 512
_STUCK = 1.0  # seconds after which a silent connection is given up, so that a store that returns is found again

_Wish = tuple[str, "asyncio.Future[Found]"]


class RedisStore:
    """One Redis server, shared by the facts that live in it."""

    def __init__(self, url: str, longest_timeout: float) -> None:
        """Connects on first use. Raises `ValueError` for what is no Redis URL; `longest_timeout` is in seconds."""
        patience = max(_STUCK, longest_timeout)
        self._client: Any = Redis.from_url(  # Any: redis types mget for its sync client, too
            url,
            max_connections=_CONNECTIONS,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),  # heals a connection gone stale
        )
        self._waiting: list[_Wish] = []
        self._running: set[asyncio.Task[None]] = set()
        self._throttle = Throttle()

    def get(self, key: str) -> asyncio.Future[Found]:
        """The object under `key`; `NoSuchKey` when there is none, another exception when it cannot be had."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((key, future))
        return future

    async def connect(self) -> bool:
        """Open a connection ahead of the first request; whether the server answered."""
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            self._warn(error)
            return False
        return True

    async def close(self) -> None:
        """Drop all connections."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._client.aclose()

    def _flush(self) -> None:
        while self._waiting and len(self._running) < _CONNECTIONS:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            wanted = [wish for wish in batch if not wish[1].done()]
            if wanted:
                task = asyncio.get_running_loop().create_task(self._answer(wanted))
                self._running.add(task)
                task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._flush()

    async def _answer(self, batch: Sequence[_Wish]) -> None:
        try:
            values = await self._client.mget([key for key, _ in batch])
        except (RedisError, OSError) as error:
            self._warn(error)
            values = [error] * len(batch)
        for (key, future), value in zip(batch, values, strict=True):
            if not future.done():
                _settle(key, future, value)

    def _warn(self, error: Exception) -> None:
        if self._throttle.allows(type(error).__name__):
            _log.warning("redis does not answer", extra={"error": f"{type(error).__name__}: {error}"})


def _settle(key: str, future: asyncio.Future[Found], value: object) -> None:
    if isinstance(value, bytes):
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            future.set_exception(error)
            return
        if isinstance(parsed, dict):
            future.set_result(Found(parsed))
        else:
            future.set_exception(TypeError(f"{key} holds no JSON object"))
    else:
        future.set_exception(value if isinstance(value, Exception) else NoSuchKey(key))


class RedisFacts:
    """The keys of one fact: those of a store under a prefix."""

    def __init__(self, store: RedisStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def get(self, key: str, scope: Scope) -> asyncio.Future[Found]:
        """See `FactSource.get`."""
        return self._store.get(self._prefix + key)
