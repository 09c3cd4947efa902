"""The sink that is the process's standard output: JSON lines for whoever collects the container's output."""

import asyncio
import os
import select
import sys
from collections.abc import Sequence

from turnout_runtime.ship.sink import Position, SinkFailed

_PIECE = 4096  # bytes: a pipe that takes any takes so many at once
_NEWLINE = 10
_PAUSE, _PATIENCE = 0.01, 30.0  # seconds


class StdoutRows:
    """Writes without ever blocking the process, also where nobody reads."""

    def __init__(self, name: str, file: int | None = None) -> None:
        self._name, self._file = name, sys.stdout.fileno() if file is None else file
        self._torn = False

    async def send(self, rows: Sequence[bytes], position: Position) -> int:
        """See `StreamSink`."""
        rest = memoryview(b"".join((b"\n" if self._torn else b"", *rows)))
        while rest:
            await self._room()
            try:
                written = os.write(self._file, rest[:_PIECE])
            except OSError as error:
                raise SinkFailed("failed", f"sink {self._name}: standard output: {error.strerror}") from error
            self._torn = written > 0 and rest[written - 1] != _NEWLINE  # the next attempt ends half a line
            rest = rest[written:]
        return len(rows)

    async def close(self) -> None:
        """See `StreamSink`; the output stays open."""

    async def _room(self) -> None:
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        for _ in range(int(_PATIENCE / _PAUSE)):
            if poll.poll(0):
                return
            await asyncio.sleep(_PAUSE)
        raise SinkFailed("timeout", f"sink {self._name}: nobody reads the standard output")
