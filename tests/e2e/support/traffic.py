"""Continuous traffic through the gateway, in a thread: every answer counts, so a single failure is seen."""

import asyncio
import collections
import json
import threading
import time
from dataclasses import dataclass, field

import aiohttp

MAX_SECONDS = 300.0


@dataclass
class Tally:
    """What came back: arms by count, failures as text, the arms of entities, and when predictions were answered
    (monotonic seconds)."""

    arms: collections.Counter[str] = field(default_factory=collections.Counter)
    revisions: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)
    entities: dict[str, str] = field(default_factory=dict)
    predictions: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.arms.values()) + len(self.failures)


class Traffic:
    """`with Traffic(url) as traffic:` sends until the block ends. `clients` requests are under way at once."""

    def __init__(self, url: str, clients: int = 4, entities: int = 1000, pause: float = 0.005) -> None:
        self._url = url
        self._clients = clients
        self._entities = entities
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.tally = Tally()

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def reset(self) -> Tally:
        """Start counting anew; returns what was counted so far."""
        old, self.tally = self.tally, Tally()
        return old

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._client(session, n) for n in range(self._clients)))

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        end = time.monotonic() + MAX_SECONDS
        entity = number
        while not self._stop.is_set() and time.monotonic() < end:
            entity = (entity + self._clients) % self._entities
            await self._ask(session, f"e{entity}")
            await asyncio.sleep(self._pause)

    async def _ask(self, session: aiohttp.ClientSession, entity: str) -> None:
        tally = self.tally
        body = {"entity_id": entity, "context": {}}
        try:
            async with session.post(self._url, json=body, headers={"x-entity-id": entity}) as answer:
                text = await answer.text()
                if answer.status != 200:
                    tally.failures.append(f"{answer.status} {text[:200]}")
                    return
                tally.arms[answer.headers["x-turnout-arm"]] += 1
                tally.revisions[answer.headers["x-turnout-revision"]] += 1
                tally.entities[entity] = answer.headers["x-turnout-arm"]
                tally.predictions[json.loads(text)["prediction_id"]] = time.monotonic()
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.failures.append(repr(error))
