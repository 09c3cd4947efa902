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
        self._millisecond, self._head = -1, ""

    def new(self, time_ns: int) -> str:
        """22 URL-safe characters: 14 of 4 bytes of revision hash and 6 of milliseconds since 1970, 8 random."""
        millisecond = time_ns // 1_000_000
        if millisecond != self._millisecond:  # many requests share one
            token = self._prefix + (millisecond & _48_BITS).to_bytes(6, "big")
            self._millisecond, self._head = millisecond, base64.urlsafe_b64encode(token)[:14].decode()
        return self._head + next(self._random)


def _entropy() -> Iterator[str]:
    """48 random bits at a time, from the kernel in larger pieces: asking it each time would cost microseconds."""
    while True:
        pool = base64.urlsafe_b64encode(os.urandom(6 * 128)).decode()
        for place in range(0, len(pool), 8):
            yield pool[place : place + 8]


def rfc3339(time_ns: int) -> str:
    """UTC time with microseconds."""
    microseconds = time_ns // 1000
    return f"{_second(microseconds // 1_000_000)}.{microseconds % 1_000_000:06d}Z"


@lru_cache(maxsize=4)  # thousands of requests share a second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
