"""Facts from an HTTP service: one GET per key."""

import asyncio
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from turnout_runtime.facts.source import BadValue, Found, NoSuchKey, Scope, SourceFailed
from turnout_runtime.facts.values import MAX_BYTES

_ABSENT = frozenset({404, 410})
_BROKEN = 500  # from here on it is the service that fails, not this key
_BUSY = 429
_DOTS = frozenset({"", ".", ".."})  # path segments that a server resolves: they would lead to another resource
_HEADERS = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "turnout-runtime"}
_IDLE_SECONDS = 30.0  # that an unused connection stays open
# Trace headers come from callers: what is malformed is not passed on, and cannot spoil a request to the service.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE = re.compile(r"[ -~]{1,512}")


class HttpFacts:
    """The keys of one fact, at a URL with `{key}` in it. The session opens in the loop that first asks."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        decode: Callable[[bytes], Found],
        max_connections: int = 32,
    ) -> None:
        """`timeout` in seconds is told to the service, which need not work longer than anybody waits."""
        self._url, self._headers, self._timeout = url, {**_HEADERS, **headers}, timeout
        self._decode, self._max_connections = decode, max_connections
        self._session: ClientSession | None = None

    def get(self, key: str, scope: Scope) -> asyncio.Future[Found]:
        """See `FactSource.get`."""
        return asyncio.get_running_loop().create_task(self._get(key, scope))

    async def connect(self) -> None:
        """Open the session; connections follow with the first requests."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=self._max_connections, keepalive_timeout=_IDLE_SECONDS),
                headers=self._headers,
                timeout=ClientTimeout(None),  # whoever asks cancels
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,  # a small answer could become a large one
            )

    async def close(self) -> None:
        """Drop all connections."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, key: str, scope: Scope) -> Found:
        url = self._address(key)
        await self.connect()
        assert self._session is not None
        try:
            async with self._session.get(url, headers=self._propagated(scope), allow_redirects=False) as response:
                return self._found(key, response, await _body(response))
        except (ClientError, OSError) as error:  # their texts quote URLs, which may hold secrets
            raise SourceFailed(type(error).__name__) from None

    def _address(self, key: str) -> URL:
        if key in _DOTS:
            raise NoSuchKey(key)
        try:
            return URL(self._url.replace("{key}", quote(key, safe="")), encoded=True)
        except UnicodeEncodeError:
            raise NoSuchKey(key) from None

    def _found(self, key: str, response: ClientResponse, body: bytes) -> Found:
        status = response.status
        if status in _ABSENT:
            raise NoSuchKey(key)
        if status != 200:
            raise (SourceFailed if status >= _BROKEN or status == _BUSY else BadValue)(f"status {status}")
        try:
            return self._decode(body)
        except BadValue as error:  # a service that answers 200 with garbage is broken for all keys
            raise SourceFailed(str(error)) from None

    def _propagated(self, scope: Scope) -> dict[str, str]:
        left = min(self._timeout, scope.remaining())
        headers = {"x-request-timeout-ms": str(max(1, int(left * 1000)))}
        if scope.traceparent and _TRACEPARENT.fullmatch(scope.traceparent):
            headers["traceparent"] = scope.traceparent
            if scope.tracestate and _TRACESTATE.fullmatch(scope.tracestate):
                headers["tracestate"] = scope.tracestate
        return headers


async def _body(response: ClientResponse) -> bytes:
    """All of it; raises `SourceFailed` before it is too much."""
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_BYTES:
            response.close()
            raise SourceFailed(f"an answer larger than {MAX_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
