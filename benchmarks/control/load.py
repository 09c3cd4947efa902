"""Changes at a fixed rate, whether or not the operator keeps up (open loop), each timed from when it was due."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 30.0  # seconds; a change that took longer counts as this


async def open_loop(rate: float, count: int, change: Callable[[int], Awaitable[float]]) -> list[float]:
    """Start `change(i)` every 1/rate seconds. It returns the time at which its effect was seen; gives the latencies."""
    started = time.monotonic()
    tasks = []
    for number in range(count):
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(_timed(change(number), due)))
    return list(await asyncio.gather(*tasks))


async def _timed(effect: Awaitable[float], due: float) -> float:
    try:
        async with asyncio.timeout(PATIENCE):
            return await effect - due
    except TimeoutError:
        return PATIENCE


async def in_parallel(clients: int, count: int, send: Callable[[int], Awaitable[object]]) -> None:
    """Call `send(i)` for all i, `clients` at a time."""
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            await send(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
