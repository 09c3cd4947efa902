"""Names and times of predictions."""

import base64
import os
from datetime import UTC, datetime
from functools import lru_cache

import xxhash

_48_BITS = 2**48 - 1


class Ids:
    """Makes prediction ids: opaque tokens that still tell us the revision and the time they were made at."""

    def __init__(self, revision: str) -> None:
        self._prefix = xxhash.xxh32_digest(revision.encode())

    def new(self, time_ns: int) -> str:
        """22 URL-safe characters: 4 bytes of revision hash, 6 of milliseconds since 1970, 6 random."""
        token = self._prefix + (time_ns // 1_000_000 & _48_BITS).to_bytes(6, "big") + os.urandom(6)
        return base64.urlsafe_b64encode(token)[:22].decode()


def rfc3339(time_ns: int) -> str:
    """UTC time with microseconds."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=4)  # thousands of requests share a second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
