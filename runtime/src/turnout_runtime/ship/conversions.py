"""Runs conversions, one at a time, and keeps the last few results for sinks that are not quite in step."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from turnout_runtime.log.segments import Segment
from turnout_runtime.ship.convert import FAILED, REJECTED
from turnout_runtime.ship.sink import ShippedFile, SinkFailed

_KEPT = 2
_PATIENCE = 600.0  # seconds for one segment
_TRIES = 3  # of a segment on which the process dies without a word


@dataclass(frozen=True, slots=True)
class Converted:
    """A segment's files; `rejected` says why there are none, or which of its rows are in none."""

    files: Sequence[ShippedFile] = ()
    rows: int = 0
    unreadable: int = 0
    damaged: int = 0
    rejected: str | None = None


@dataclass(slots=True)
class _Entry:
    task: "asyncio.Task[Converted]"
    users: int = 0


@dataclass(slots=True)
class Conversions:
    """Segments of `directory` as Parquet in `spool`, a folder below it that is nobody else's; both are absolute."""

    directory: Path
    spool: Path
    pod: str
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _deaths: dict[str, int] = field(default_factory=dict)
    _one: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @asynccontextmanager
    async def of(self, segment: Segment) -> AsyncIterator[Converted]:
        """The segment's files, which stay until the block's end. Raises `SinkFailed` where another attempt may help."""
        entry = self._entries.pop(segment.stem, None) or _Entry(asyncio.create_task(self._convert(segment)))
        self._entries[segment.stem] = entry  # the last again
        entry.users += 1
        try:
            yield await asyncio.shield(entry.task)
        finally:
            entry.users -= 1
            self._trim()

    async def close(self) -> None:
        """End what still runs."""
        tasks = [entry.task for entry in self._entries.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _trim(self) -> None:
        idle = [stem for stem, entry in self._entries.items() if not entry.users and entry.task.done()]
        failed = [stem for stem in idle if self._entries[stem].task.cancelled() or self._entries[stem].task.exception()]
        for stem in {*failed, *idle[:-_KEPT]}:
            del self._entries[stem]
            shutil.rmtree(self.spool / stem, ignore_errors=True)

    async def _convert(self, segment: Segment) -> Converted:
        out = self.spool / segment.stem
        async with self._one:
            shutil.rmtree(out, ignore_errors=True)
            try:
                out.mkdir(parents=True)
                code, answer = await _run(self.directory / segment.name, out, self.pod)
            except OSError as error:
                raise _failed(str(error)) from error
        if code == 0:
            return _converted(answer, out)
        if code == REJECTED:
            return Converted(rejected=str(answer["error"]))
        if code == FAILED:
            raise _failed(str(answer["error"]))
        return self._died(segment.stem, code)

    def _died(self, stem: str, code: int) -> Converted:
        """The container's memory may be short for a moment; a segment that always ends it must not stop all others."""
        told = f"the conversion ended with {'signal' if code < 0 else 'code'} {abs(code)}"
        self._deaths[stem] = self._deaths.get(stem, 0) + 1
        if self._deaths[stem] < _TRIES:
            raise _failed(f"{told}: give the shipper more memory")
        return Converted(rejected=f"{told}, {_TRIES} times")


def _failed(text: str) -> SinkFailed:
    full = "space" in text or "quota" in text
    return SinkFailed("full" if full else "failed", f"converting a segment: {text}")


def _converted(answer: dict[str, object], out: Path) -> Converted:
    files: list[dict[str, object]] = answer["files"]  # type: ignore[assignment]
    unreadable = int(str(answer["unreadable"]))
    return Converted(
        [ShippedFile(out / str(f["path"]), str(f["name"]), int(str(f["rows"])), int(str(f["bytes"]))) for f in files],
        int(str(answer["rows"])),
        unreadable,
        int(str(answer["damaged"])),
        f"{unreadable} of its rows cannot be read" if unreadable else None,
    )


async def _run(segment: Path, out: Path, pod: str) -> tuple[int, dict[str, object]]:
    """The exit code of a process that converts, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnout_runtime.ship.convert", segment, out, pod,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            said, _ = await process.communicate()
    except TimeoutError:
        raise OSError(f"it took more than {_PATIENCE:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = process.returncode or 0
    return code, orjson.loads(said) if code in (0, REJECTED, FAILED) else {}
