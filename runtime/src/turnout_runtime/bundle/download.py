"""Brings a bundle's archive from an http(s) server, whole or not at all."""

import asyncio
import logging
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from turnout_runtime.bundle.paths import MAX_BYTES
from turnout_runtime.errors import BundleInvalid, BundleNotFound

_log = logging.getLogger("turnout.bundle")
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1024**2


def public(uri: str) -> str:
    """The URL without credentials and query, which may hold secrets."""
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


async def download(uri: str, target: Path, *, tries: int = 3, pause: float = 0.5, timeout: float = 20.0) -> None:
    """GET `uri` into `target`. Connecting, and each wait for data, may take `timeout` seconds.

    Tries again, pausing `pause`, 2 `pause`, … seconds, when the server is unreachable, silent or overloaded. Raises
    `BundleNotFound` in the end, or at once when the server answers that there is no such thing.
    """
    limits = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
    failure = ""
    async with aiohttp.ClientSession(timeout=limits, auto_decompress=False) as session:
        for attempt in range(tries):
            await asyncio.sleep(pause * attempt)
            try:
                return await _get(session, uri, target)
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = _explain(error)
                _log.warning("bundle download failed", extra={"url": public(uri), "error": failure})
                if isinstance(error, aiohttp.ClientResponseError) and error.status not in _RETRIED:
                    break
    raise BundleNotFound(f"GET {public(uri)}: {failure}; check spec.bundle.uri and that the server is reachable")


async def _get(session: aiohttp.ClientSession, uri: str, target: Path) -> None:
    size = 0
    async with session.get(uri, raise_for_status=True, max_redirects=5) as response:
        with target.open("wb") as out:
            async for chunk in response.content.iter_chunked(_CHUNK):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise BundleInvalid(f"GET {public(uri)}: the archive is larger than {MAX_BYTES} bytes")
                out.write(chunk)


def _explain(error: Exception) -> str:
    """What went wrong, without the URL that aiohttp's own texts contain."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the server answered {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or error.os_error}"
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    return f"the transfer broke off ({type(error).__name__})"
