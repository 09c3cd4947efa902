"""Gathers what requests want in one turn of the event loop into one round trip, over a few lanes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from turnout_runtime.facts.source import Found, NoSuchKey, SourceFailed

_BATCH = 512

Ask = Callable[[Sequence[str]], Awaitable[Sequence[Any]]]
Decode = Callable[[Any], Found]
_Wish = tuple[str, Decode, "asyncio.Future[Found]"]


class Gather:
    """`ask` gets up to 512 keys and returns what is under each, None for nothing; at most `lanes` run at once."""

    def __init__(self, ask: Ask, lanes: int) -> None:
        self._ask, self._lanes = ask, lanes
        self._waiting: list[_Wish] = []
        self._running: set[asyncio.Task[None]] = set()

    def get(self, key: str, decode: Decode) -> asyncio.Future[Found]:
        """What is under `key`, decoded; `NoSuchKey` when there is nothing, what `ask` or `decode` raises else."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((key, decode, future))
        return future

    async def close(self) -> None:
        """End what runs; what waits is not asked for any more."""
        self._waiting.clear()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _flush(self) -> None:
        while self._waiting and len(self._running) < self._lanes:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            wanted = [wish for wish in batch if not wish[2].done()]
            if wanted:
                task = asyncio.get_running_loop().create_task(self._answer(wanted))
                self._running.add(task)
                task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._flush()

    async def _answer(self, batch: Sequence[_Wish]) -> None:
        try:
            values = await self._ask([key for key, _, _ in batch])
            if len(values) != len(batch):
                raise SourceFailed(f"{len(values)} answers to {len(batch)} questions")
        except Exception as error:
            values = [error] * len(batch)
        for (key, decode, future), value in zip(batch, values, strict=True):
            if not future.done():
                _settle(key, decode, future, value)


def _settle(key: str, decode: Decode, future: asyncio.Future[Found], value: object) -> None:
    try:
        if isinstance(value, Exception):
            raise value
        if value is None:
            raise NoSuchKey(key)
        future.set_result(decode(value))
    except Exception as error:  # whatever it is, it belongs to this wish alone
        future.set_exception(error)
