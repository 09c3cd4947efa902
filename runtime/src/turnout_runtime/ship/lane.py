"""One sink's way through the backlog, at its own pace: what fails is tried again, and holds up nobody else."""

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import suppress

from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.backoff import Backoff
from turnout_runtime.ship.counts import SinkCounts
from turnout_runtime.ship.sink import SinkFailed
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.ship")
_MOMENT = 0.05  # seconds
_HURRY = 2.0  # seconds between attempts at the end, when the time is somebody else's


class Lane(ABC):
    """Delivers until it is told to end, and then until nothing is left, or `tries` attempts in a row have failed."""

    def __init__(self, name: str, backlog: Backlog, backoff: Backoff) -> None:
        self.name, self.backlog, self.counts = name, backlog, SinkCounts()
        self._backoff, self._throttle = backoff, Throttle(60.0)
        self._wake = backlog.waker()
        self._ending = asyncio.Event()
        self._tries: int | None = None

    def end(self, tries: int | None = None) -> None:
        """Deliver what is there, and stop; without `tries` failures are no reason to."""
        self._tries = tries
        self._ending.set()
        self._wake.set()

    async def run(self) -> bool:
        """Deliver; whether all is delivered."""
        while True:
            self._wake.clear()
            try:
                if await self.deliver():
                    self._backoff.reset()
                    continue
            except FileNotFoundError:  # the writer had to make room
                await asyncio.sleep(_MOMENT)
                if not await self._look_again():
                    return False
                continue
            except SinkFailed as error:
                if not await self._pause(error.reason, str(error)):
                    return False
                continue
            except Exception as error:  # a defect, of ours or of a library: the sink is not lost for it
                _log.exception("the sink failed", extra={"sink": self.name})
                if not await self._pause("failed", f"sink {self.name}: {type(error).__name__}"):
                    return False
                continue
            if self._ending.is_set():
                return True
            await self._wake.wait()

    @abstractmethod
    async def deliver(self) -> bool:
        """Deliver a little; whether there was anything. Raises `SinkFailed`, or `FileNotFoundError` for the segment."""

    async def _look_again(self) -> bool:
        """Whether to go on; a directory that cannot be read for a while must not end the lane."""
        try:
            self.backlog.scan()
        except OSError as error:
            return await self._pause("failed", f"sink {self.name}: the log's directory: {error.strerror}")
        return True

    async def _pause(self, reason: str, text: str) -> bool:
        """Wait for the next attempt; False when there is to be none."""
        self.counts.failed(reason, text)
        if self._throttle.allows(reason):
            _log.error("cannot deliver the log; it is tried again", extra={"sink": self.name, "error": text})
        pause = self._backoff()
        if not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)
            return True
        if self._tries is not None and self._backoff.failures >= self._tries:
            return False
        await asyncio.sleep(min(pause, _HURRY))
        return True
