"""One process that converts some segments, and what it says of each."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.log.segments import Segment
from turnout_runtime.ship.sink import ShippedFile, SinkFailed

_PATIENCE = 300.0  # seconds for one segment
_LINE = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Converted:
    """A segment's files; `rejected` says why there are none, or which of its rows are in none."""

    files: Sequence[ShippedFile] = ()
    damaged: int = 0
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Another attempt may help."""

    error: SinkFailed

    @classmethod
    def because(cls, text: str) -> "Failed":
        """With a reason that says whether the disk is full."""
        full = "No space" in text or "quota" in text
        return cls(SinkFailed("full" if full else "failed", f"converting a segment: {text}"))


@dataclass(frozen=True, slots=True)
class Died:
    """The process ended over this segment."""

    how: str


async def results(
    directory: Path, segments: Sequence[Segment], spool: Path, pod: str
) -> AsyncIterator[tuple[str, Converted | Failed | Died]]:
    """What became of the segments, by stem, in their order; it ends with the first that the process died over.

    Each has a folder of its own in `spool`. Raises `OSError` where no process can be started.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnout_runtime.ship.convert", directory, spool, pod, *(s.name for s in segments),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True, limit=_LINE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for segment in segments:
            try:
                line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
            except TimeoutError:
                yield segment.stem, Died(f"the conversion took more than {_PATIENCE:.0f} s")
                return
            if not line.endswith(b"\n"):
                yield segment.stem, Died(_end(await process.wait()))
                return
            yield segment.stem, result(orjson.loads(line), spool / segment.stem)
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def result(said: dict[str, Any], folder: Path) -> Converted | Failed:
    """What the process said of one segment."""
    if "failed" in said:
        return Failed.because(said["failed"])
    if "rejected" in said:
        return Converted(rejected=said["rejected"])
    files = [ShippedFile(folder / f["path"], f["name"], f["rows"], f["bytes"]) for f in said["files"]]
    unreadable = said["unreadable"]
    return Converted(files, said["damaged"], f"{unreadable} of its rows cannot be read" if unreadable else None)


def _end(code: int) -> str:
    return f"the conversion ended with {'signal' if code < 0 else 'code'} {abs(code)}"
