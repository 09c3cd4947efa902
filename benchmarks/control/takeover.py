"""What happens to changes when the leader goes: a second operator stands by."""

import asyncio
import signal
import time
from dataclasses import dataclass

from benchmarks.control.cluster import until
from benchmarks.control.load import open_loop
from benchmarks.control.phases import Bench, observed, reweigh, scale
from benchmarks.control.processes import OperatorProcess

RATE = 10.0
LEAD_SECONDS = 2.0
SECONDS = 12.0


@dataclass(frozen=True)
class Takeover:
    """Seconds from the signal: to the new leader's first write, to a weight change's ACK; and the slowest change."""

    first_write: float
    acked: float
    slowest: float


async def stand_by(operator: OperatorProcess) -> None:
    """Start a second replica and wait until its caches are synced."""
    operator.start()
    await until(operator.is_ready, 60, f"{operator.name} to be ready", every=0.1)


async def take_over(
    bench: Bench, leader: OperatorProcess, standby: OperatorProcess, number: signal.Signals
) -> Takeover:
    """End the leader with a signal in the midst of changes."""
    count = min(int(RATE * SECONDS), bench.objects)
    changes = asyncio.create_task(open_loop(RATE, count, lambda index: _toggle(bench, index)))
    await asyncio.sleep(LEAD_SECONDS)
    leader.send(number)
    sent = time.monotonic()
    challenger = 30 if observed(bench.policies.objects["rp-0000"]) != 30 else 40
    acked = asyncio.create_task(reweigh(bench, 0, challenger))

    async def has_written() -> bool:
        return (await standby.snapshot()).first_write is not None

    await until(has_written, 60, "the standby to write", every=0.05)
    first = (await standby.snapshot()).first_write or sent
    latencies = await changes
    return Takeover(first - sent, await asyncio.wait_for(acked, 60) - sent, max(latencies))


async def _toggle(bench: Bench, number: int) -> float:
    name = f"md-{number:04d}"
    now = bench.model_deployments.objects[name]["spec"]["replicas"]
    return await scale(bench, number, 1 if now == 2 else 2)
