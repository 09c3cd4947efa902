"""Applies the retention, about once an hour, to what this pod's deployment has at its sinks."""

import asyncio
import logging
import random
from collections.abc import Mapping
from datetime import UTC, datetime

from turnout_runtime.config.ship import Retention
from turnout_runtime.ship.lanes import FileLane
from turnout_runtime.ship.naming import prefixes
from turnout_runtime.ship.retention import Keep, prune
from turnout_runtime.ship.roots import Root

_log = logging.getLogger("turnout.ship")
_PERIOD = 3600.0


class Keeper:
    """Deletes what is kept no longer, of namespaces and objectives that were shipped since the start."""

    def __init__(self, retention: Retention, roots: Mapping[str, Root], lanes: Mapping[str, FileLane]) -> None:
        self._keep = Keep(retention.age_seconds, retention.bytes)
        self._roots, self._lanes = roots, lanes

    async def run(self) -> None:
        """Until cancelled; many pods that start together do it at different times."""
        if self._keep == Keep(None, None):
            return
        while True:
            await asyncio.sleep(_PERIOD * random.uniform(0.5, 1.0))  # noqa: S311
            for name in self._roots:
                await self.once(name)

    async def once(self, name: str) -> None:
        """One sink; a failure is told, and it is tried again the next time."""
        lane = self._lanes[name]
        try:
            gone = await prune(self._roots[name], prefixes(lane.scopes), self._keep, datetime.now(UTC))
        except Exception as error:  # of a volume or a store
            _log.error("retention failed", extra={"sink": name, "error": str(error)})
            return
        if gone:
            lane.counts.expired_files += len(gone)
            size = sum(file.size for file in gone)
            _log.info("deleted what is kept no longer", extra={"sink": name, "files": len(gone), "bytes": size})
