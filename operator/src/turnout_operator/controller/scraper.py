"""Asks the pods for their metrics, all of them once an interval, evenly, and with patience for those that are mute.

What is asked and what comes of it is others' business: see `log_watch`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

import aiohttp

from turnout_operator.plan.samples import Sample, parse
from turnout_operator.telemetry.metrics import SCRAPES

log = logging.getLogger(__name__)
CONCURRENCY = 64
TIMEOUT_SECONDS = 2.0
MAX_BYTES = 4 * 1024**2
GAP_SECONDS = 0.02
MAX_ROUNDS_LEFT_OUT = 16

Samples = tuple[Sample, ...]


class Target(NamedTuple):
    """A pod to ask: its uid, and the URLs with the metrics that are wanted of each."""

    uid: str
    urls: Mapping[str, Collection[str]]


class Consumer(Protocol):
    """Who wants samples."""

    def targets(self) -> Iterable[Target]:
        """Whom to ask in the next round."""

    def take(self, uid: str, found: Mapping[str, Samples | None]) -> None:
        """What one pod answered, by URL; None for no answer."""

    def finish(self) -> None:
        """A round is over."""


class Fetch(Protocol):
    """The seam to the network; tests put a fake here."""

    async def __call__(self, url: str, names: Collection[str]) -> Samples | None:
        """The samples of these names; None when there is no good answer."""


class Scraper:
    """Rounds of scrapes for one consumer. A pod that does not answer is left out of ever more rounds."""

    def __init__(self, consumer: Consumer, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._consumer = consumer
        self._interval = interval
        self._clock = clock
        self._left_out: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        async with session(self._interval) as http:
            while True:
                started = self._clock()
                try:
                    await self.round(Http(http))
                except Exception:
                    log.exception("a round of scrapes failed")
                await asyncio.sleep(max(0.0, started + self._interval - self._clock()))

    async def round(self, fetch: Fetch) -> None:
        """Ask every target once."""
        targets = list(self._consumer.targets())
        self._left_out = {t.uid: self._left_out[t.uid] for t in targets if t.uid in self._left_out}
        asked = [target for target in targets if self._is_due(target.uid)]
        gap = min(GAP_SECONDS, self._interval / (len(asked) + 1))
        places = asyncio.Semaphore(CONCURRENCY)
        async with asyncio.TaskGroup() as group:
            for target in asked:
                await places.acquire()
                group.create_task(self._ask(target, fetch, places))
                await asyncio.sleep(gap)
        self._consumer.finish()

    def _is_due(self, uid: str) -> bool:
        wait, misses = self._left_out.get(uid, (0, 0))
        if wait > 0:
            self._left_out[uid] = (wait - 1, misses)
        return wait <= 0

    async def _ask(self, target: Target, fetch: Fetch, places: asyncio.Semaphore) -> None:
        try:
            answers = await asyncio.gather(*(fetch(url, names) for url, names in target.urls.items()))
        finally:
            places.release()
        self._remember(target.uid, answered=any(answer is not None for answer in answers))
        self._consumer.take(target.uid, dict(zip(target.urls, answers, strict=True)))

    def _remember(self, uid: str, *, answered: bool) -> None:
        SCRAPES.labels("ok" if answered else "error").inc()
        if answered:
            self._left_out.pop(uid, None)
            return
        misses = self._left_out.get(uid, (0, 0))[1] + 1
        self._left_out[uid] = (0 if misses < 3 else min(2 ** (misses - 3), MAX_ROUNDS_LEFT_OUT), misses)


def session(interval: float = 15.0) -> aiohttp.ClientSession:
    """Connections stay from round to round: to make one costs twice as much CPU as to ask."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2 * interval + TIMEOUT_SECONDS)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))


class Http:
    """Fetches over HTTP; never raises."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def __call__(self, url: str, names: Collection[str]) -> Samples | None:
        """The samples of these names; None when there is no good answer of a bounded size."""
        with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with self._http.get(url, params=[("name[]", name) for name in names]) as answer:
                if answer.status == 200:
                    return parse((await _bounded(answer.content)).decode(), names)
        return None


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = b""
    while chunk := await content.read(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            raise ValueError("too large")
    return body
