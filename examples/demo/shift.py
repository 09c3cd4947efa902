"""Changes the weight while traffic runs, and times what follows."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from demo import policy
from demo.example import ARMS
from demo.replay import Answer, Question, Traffic
from demo.shell import environment

WORKERS, RATE = 32, 500.0
BEFORE_SECONDS, AFTER_SECONDS, PATIENCE_SECONDS = 1.5, 2.5, 30.0


@dataclass(frozen=True)
class Shift:
    """One change of weight under traffic. Times are seconds after the patch command was started."""

    wanted: dict[str, float]
    version: str
    gateways: int
    started: float
    accepted: float
    acknowledged: float
    answers: list[Answer]

    @property
    def before(self) -> list[Answer]:
        """Answered under the old weights."""
        return [answer for answer in self.answers if answer.ok and answer.policy_version != self.version]

    @property
    def after(self) -> list[Answer]:
        """Answered under the new weights."""
        return [answer for answer in self.answers if answer.ok and answer.policy_version == self.version]

    @property
    def followed(self) -> float:
        """When the last request was sent that the old weights still answered; 0 when the patch was not even sent."""
        return max((answer.sent - self.started for answer in self.before), default=0.0)


async def shift(url: str, stream: Iterator[Question], challenger: int) -> Shift:
    """Patch the challenger's weight (percent) while the questions are asked; the stream should be endless."""
    wanted = dict(zip(ARMS, (100.0 - challenger, float(challenger)), strict=True))
    traffic = Traffic(url, WORKERS, RATE)
    async with policy.watching() as watch, traffic.flowing(stream):
        await asyncio.sleep(BEFORE_SECONDS)
        started = time.monotonic()
        await _patch(challenger)
        accepted = time.monotonic()
        state = await watch.until(lambda state: state.has(wanted), PATIENCE_SECONDS)
        await asyncio.sleep(AFTER_SECONDS)
    return Shift(
        wanted=wanted,
        version=state.version,
        gateways=state.gateways,
        started=started,
        accepted=accepted - started,
        acknowledged=state.seen - started,
        answers=traffic.answers,
    )


async def _patch(challenger: int) -> None:
    command = policy.patch_command(challenger)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=environment()
    )
    _, error = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"$ {' '.join(command)}\n{error.decode().strip()}")
