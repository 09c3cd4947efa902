"""Names and times of predictions."""

import base64
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

import xxhash

_48_BITS = 2**48 - 1


class Ids:
    """Makes prediction ids: opaque tokens that still tell us the revision and the time they were made at."""

    def __init__(self, revision: str) -> None:
        self._prefix = xxhash.xxh32_digest(revision.encode())
        self._random = _entropy()

    def new(self, time_ns: int) -> str:
        """22 URL-safe characters: 4 bytes of revision hash, 6 of milliseconds since 1970, 6 random."""
        token = self._prefix + (time_ns // 1_000_000 & _48_BITS).to_bytes(6, "big") + next(self._random)
        return base64.urlsafe_b64encode(token)[:22].decode()


def _entropy() -> Iterator[bytes]:
    """Six random bytes at a time, from the kernel in larger pieces: asking it each time would cost microseconds."""
    while True:
        pool = os.urandom(6 * 128)
        for place in range(0, len(pool), 6):
            yield pool[place : place + 6]


def rfc3339(time_ns: int) -> str:
    """UTC time with microseconds."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=4)  # thousands of requests share a second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
