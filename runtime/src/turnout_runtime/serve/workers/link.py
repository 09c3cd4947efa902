"""What supervisor and worker say to each other: JSON lines over a socket pair that only they hold.

The supervisor sends one line with everything to serve, and then asks for metrics and sketches; the worker tells its
phases, and answers with these. The end of either is the end of the line.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any

import orjson

_MAX_LINE = 64 * 1024**2


class Link:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, end: socket.socket) -> "Link":
        """Talk over this end of a socket pair."""
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=_MAX_LINE)
        return cls(reader, writer)

    def send(self, message: dict[str, Any]) -> None:
        """Say something; nothing happens when the other has gone."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps(message) + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """What the other says next; None when it has gone."""
        try:
            line = await self._reader.readline()
        except (OSError, ValueError):
            return None
        message: dict[str, Any] | None = orjson.loads(line) if line.endswith(b"\n") else None
        return message

    async def close(self) -> None:
        """Say no more, once everything is said."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
