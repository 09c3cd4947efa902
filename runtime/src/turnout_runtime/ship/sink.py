"""What a sink of the prediction log does; each kind is one module that implements one of two protocols.

A sink is called by one task at a time. It raises `SinkFailed`, and is then asked for the same again after a pause; it
keeps no row for later: what it has returned from is delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from turnout_runtime.errors import TurnoutError
from turnout_runtime.log.segments import Kind

__all__ = ["BatchSink", "Kind", "Position", "ShippedFile", "SinkFailed", "StreamSink"]


class SinkFailed(TurnoutError):
    """A sink did not take what it was given; the message names what it is about and the remedy, never a credential.

    `reason` is a label of a metric, so one of few words: unreachable, refused (credentials, rights), missing (bucket,
    topic, folder), timeout, full, answered (with an error of its own), failed.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A Parquet file: where it lies on this machine, and what it is called below the root of every sink."""

    path: Path
    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a segment has been read: up to `offset` bytes of it. A segment's name begins with its kind."""

    segment: str
    offset: int

    @property
    def kind(self) -> Kind:
        """Predictions, or feedback."""
        return "feedback" if self.segment.startswith("feedback-") else "predictions"


class BatchSink(Protocol):
    """Takes files, exactly once: a file that is put again under its name replaces the first."""

    async def put(self, file: ShippedFile) -> None:
        """Store the file so that it outlives a crash of this process; readers see it whole or not at all."""

    async def close(self) -> None:
        """Let go of connections; called once, also when no other call was made."""


class StreamSink(Protocol):
    """Takes rows, at least once, in the order of their segment."""

    async def send(self, rows: Sequence[bytes], position: Position) -> int:
        """Deliver the rows (JSON lines, each with its newline), which end at `position`; acknowledged on return.

        Returns how many were delivered. Fewer than were given means that the sink will never take the others (too
        large for it): it has logged so, and they are counted as refused and not sent again.
        """

    async def close(self) -> None:
        """Let go of connections; called once, also when no other call was made."""
