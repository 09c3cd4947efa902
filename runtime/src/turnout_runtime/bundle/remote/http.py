"""Archives from an http(s) server, whole or not at all; and what every download over HTTP shares."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from turnout_runtime.bundle.paths import MAX_BYTES
from turnout_runtime.bundle.progress import Progress, Tell
from turnout_runtime.errors import BundleInvalid, BundleNotFound

_log = logging.getLogger("turnout.bundle")
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1024**2
_T = TypeVar("_T")


def public(uri: str) -> str:
    """The URL without credentials and query, which may hold secrets."""
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def new_session(timeout: float = 20.0) -> aiohttp.ClientSession:
    """A session whose connects, and whose waits for data, may each take `timeout` seconds."""
    limits = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
    return aiohttp.ClientSession(timeout=limits, auto_decompress=False, trust_env=True)


async def download(
    uri: str, target: Path, progress: Progress, *, tries: int = 3, pause: float = 0.5, timeout: float = 20.0
) -> None:
    """GET `uri` into `target`; raises `BundleNotFound` or `BundleInvalid`."""

    async def get() -> None:
        async with session.get(uri, raise_for_status=True, max_redirects=5) as response:
            with progress(f"fetching {target_name(uri)}", response.content_length, "B") as tell:
                await save(response, target, f"GET {public(uri)}", tell)

    async with new_session(timeout) as session:
        await retried(f"GET {public(uri)}", get, tries=tries, pause=pause)


def target_name(uri: str) -> str:
    """The last part of the URL's path, which a progress bar shows."""
    return urlsplit(uri).path.rstrip("/").rpartition("/")[2] or "the bundle"


async def retried(what: str, action: Callable[[], Awaitable[_T]], *, tries: int = 3, pause: float = 0.5) -> _T:
    """Do it, and again after `pause`, 2 `pause`, … seconds when the server is unreachable, silent or overloaded.

    Raises `BundleNotFound` in the end, or at once when the server answers that there is no such thing.
    """
    failure = ""
    for attempt in range(tries):
        await asyncio.sleep(pause * attempt)
        try:
            return await action()
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = _explain(error)
            _log.warning("bundle download failed", extra={"url": what, "error": failure})
            if isinstance(error, aiohttp.ClientResponseError) and error.status not in _RETRIED:
                break
    credentials = ", its credentials (spec.bundle.secretRef)" if failure.endswith(("401", "403")) else ""
    raise BundleNotFound(f"{what}: {failure}; check spec.bundle.uri{credentials} and that the server is reachable")


async def save(response: aiohttp.ClientResponse, target: Path, what: str, tell: Tell) -> None:
    """Write the body to `target`; raises `BundleInvalid` beyond the size of a bundle."""
    size = 0
    with target.open("wb") as out:
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise BundleInvalid(f"{what}: the archive is larger than {MAX_BYTES} bytes")
            out.write(chunk)
            tell(len(chunk))


def _explain(error: Exception) -> str:
    """What went wrong, without the URL that aiohttp's own texts contain."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the server answered {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or error.os_error}"
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    return f"the transfer broke off ({type(error).__name__})"
