"""The whole shipper: looks after the directory, and runs a lane for each sink until it is told to end."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from turnout_runtime.config.ship import ShipConfig
from turnout_runtime.log.recover import recover
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.backoff import Backoff
from turnout_runtime.ship.conversions import Conversions
from turnout_runtime.ship.counts import SinkCounts
from turnout_runtime.ship.home import Home
from turnout_runtime.ship.keeper import Keeper
from turnout_runtime.ship.lane import Lane
from turnout_runtime.ship.lanes import FileLane, RowLane
from turnout_runtime.ship.metrics import ShipMetrics
from turnout_runtime.ship.plan import Sinks
from turnout_runtime.ship.port import open_port
from turnout_runtime.ship.progress import ProgressFiles
from turnout_runtime.ship.roots import root_of_sink
from turnout_runtime.ship.sinks import open_sinks
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.ship")
_LOOK_ROWS, _LOOK_FILES = 0.2, 1.0  # seconds between looks at the directory, with and without sinks that take rows
_SAVE, _RECOVER = 1.0, 10.0
_TRIES = 5


class Shipper:
    """Ships one pod's log; `counts` tells how far it is, by sink."""

    def __init__(self, config: ShipConfig, where: Home, environment: Mapping[str, str] = os.environ) -> None:
        """Raises `ConfigInvalid` for a sink that cannot be."""
        self._config, self._where = config, where
        self._sinks = open_sinks(config.sinks, environment)
        names = Sinks(tuple(self._sinks.batch), tuple(self._sinks.stream))
        self.backlog = Backlog(where.directory, names, ProgressFiles(where.progress))
        self._conversions = Conversions(where.directory, where.spool, config.pod)
        files = {name: FileLane(name, self.backlog, Backoff(), sink, self._conversions)
                 for name, sink in self._sinks.batch.items()}  # fmt: skip
        rows = {name: RowLane(name, self.backlog, Backoff(), sink) for name, sink in self._sinks.stream.items()}
        self._lanes: dict[str, Lane] = {**files, **rows}
        roots = {sink.name: root for sink in config.sinks if (root := root_of_sink(sink, environment)) is not None}
        self._keeper = Keeper(config.retention, roots, files)
        self._throttle = Throttle(60.0)

    @property
    def counts(self) -> Mapping[str, SinkCounts]:
        """By sink."""
        return {name: lane.counts for name, lane in self._lanes.items()}

    @property
    def open_segments(self) -> int:
        """How many have rows that wait for their writer, where a sink takes files."""
        return sum(seen.segment.open and seen.size > 0 for seen in self.backlog.seen) if self._sinks.batch else 0

    async def run(self, stop: asyncio.Event, host: str | None = None) -> None:
        """Ship until `stop`, then what is left, however often that has to be tried. Raises `ConfigInvalid`."""
        port = await self._listen(host)
        try:
            self._look_after()
            background = [asyncio.create_task(work) for work in (self._watch(), self._keeper.run())]
            lanes = [asyncio.create_task(lane.run()) for lane in self._lanes.values()]
            await stop.wait()
            await _cancelled(background)
            await self._finish(lanes, None)
        finally:
            await self._close()
            if port is not None:
                await port.cleanup()

    async def once(self) -> bool:
        """Ship what is there; whether all of it arrived."""
        try:
            return await self._finish([asyncio.create_task(lane.run()) for lane in self._lanes.values()], _TRIES)
        finally:
            await self._close()

    async def _finish(self, lanes: "list[asyncio.Task[bool]]", tries: int | None) -> bool:
        self._look_after()
        for lane in self._lanes.values():
            lane.end(tries)
        done = await asyncio.gather(*lanes)
        self.backlog.save()
        self.backlog.tidy()
        return all(done)

    async def _close(self) -> None:
        await self._conversions.close()
        for files in self._sinks.batch.values():
            await files.close()
        for rows in self._sinks.stream.values():
            await rows.close()

    async def _listen(self, host: str | None) -> Any:
        if not self._config.port:
            return None
        return await open_port(host, self._config.port, ShipMetrics(self.backlog, self.counts))

    async def _watch(self) -> None:
        await asyncio.gather(
            _every(_LOOK_ROWS if self._sinks.stream else _LOOK_FILES, self._look),
            _every(_SAVE, self.backlog.save),
            _every(_RECOVER, self._look_after),
        )

    def _look_after(self) -> None:
        """Seal what dead writers left, and look."""
        try:
            for found in recover(self._where.directory):
                _log.warning("recovered a segment of the log", extra={"rows": found.rows, "torn_bytes": found.torn})
            self.backlog.tidy()
        except OSError as error:
            self._tell(error)
        self._look()

    def _look(self) -> None:
        try:
            self.backlog.scan()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if self._throttle.allows("directory"):
            _log.error("cannot look after the log's directory", extra={"error": str(error)})


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            act()
        except Exception:  # a defect; the next time may go well
            _log.exception("the shipper's upkeep failed")


async def _cancelled(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
