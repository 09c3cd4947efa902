"""Sends past flights through the gateway, in order of departure, and keeps what came back."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import orjson
from flight_delay.data import Flight

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Question:
    """One request to send: a flight under the id that its label is joined by."""

    request_id: str
    flight: Flight

    def body(self) -> bytes:
        """The prediction API's JSON."""
        return orjson.dumps({"request_id": self.request_id, "context": self.flight.context()})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a question. `sent` is on the monotonic clock; status 0 stands for no answer at all."""

    question: Question
    sent: float
    seconds: float
    status: int
    arm: str = ""
    policy_version: str = ""
    problem: str = ""
    prediction_id: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a prediction."""
        return self.status == 200


def questions(flights: Iterable[Flight], prefix: str) -> Iterator[Question]:
    """Number the flights in their order: <prefix>-00001, …"""
    for number, flight in enumerate(flights, start=1):
        yield Question(f"{prefix}-{number:05d}", flight)


def evenly(flights: Sequence[Flight], count: int) -> list[Flight]:
    """About `count` flights spread evenly over all of them, order kept."""
    return list(flights[:: max(1, len(flights) // count)][:count])


class Traffic:
    """Requests at an even `rate` a second, of which at most `workers` are open: then the rate falls behind."""

    def __init__(self, url: str, workers: int, rate: float) -> None:
        self.answers: list[Answer] = []
        self._url, self._workers, self._interval = url, workers, 1 / rate
        self._next_start = 0.0
        self._stopped = False

    async def send(self, stream: Iterator[Question]) -> list[Answer]:
        """All answers, once the stream is empty or `stop` was called."""
        connector = aiohttp.TCPConnector(limit=self._workers)
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
            await asyncio.gather(*(self._work(session, stream) for _ in range(self._workers)))
        return self.answers

    @asynccontextmanager
    async def flowing(self, stream: Iterator[Question]) -> AsyncIterator[None]:
        """Send in the background for as long as the block runs."""
        task = asyncio.create_task(self.send(stream))
        try:
            yield
        finally:
            self._stopped = True
            await task

    async def _work(self, session: aiohttp.ClientSession, stream: Iterator[Question]) -> None:
        for question in stream:
            await self._turn()
            self.answers.append(await self._ask(session, question))
            if self._stopped:
                return

    async def _turn(self) -> None:
        now = time.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + self._interval
        await asyncio.sleep(start - now)

    async def _ask(self, session: aiohttp.ClientSession, question: Question) -> Answer:
        headers = {"content-type": "application/json", "x-entity-id": question.flight.entity_id}
        sent = time.monotonic()
        try:
            async with session.post(self._url, data=question.body(), headers=headers) as response:
                text = await response.text()
                arm, version = (response.headers.get(f"x-turnout-{name}", "") for name in ("arm", "policy-version"))
                seconds, ok = time.monotonic() - sent, response.status == 200
                prediction_id = orjson.loads(text)["prediction_id"] if ok else ""
                problem = "" if ok else text[:300]
                return Answer(question, sent, seconds, response.status, arm, version, problem, prediction_id)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(question, sent, time.monotonic() - sent, 0, problem=f"{type(error).__name__}: {error}")
