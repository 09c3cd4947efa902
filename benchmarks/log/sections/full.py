"""Section 5: the disk fills up under load, and has room again: rows are lost and counted, and nothing else happens.

The disk is a small tmpfs in a mount namespace of the runtime's own, so that it is gone with it, however that ends.
"""

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.openloop import offer
from benchmarks.harness.ours import Turnout
from benchmarks.harness.outcomes import Outcomes, schedule
from benchmarks.harness.places import logs
from benchmarks.harness.sampled import memory_of, sampled
from benchmarks.log import flights
from benchmarks.log.bench import Bench
from benchmarks.log.counts import Counts, counts
from benchmarks.report import Row, at_least, at_most, info, ratio
from benchmarks.runtime.ours import TIMEOUT
from tests.cluster.progress import step

from turnout_runtime.log.read import rows as rows_of

RATE = 1500.0
SIZE = 64
"""MiB of the disk."""
BEFORE, FULL, AFTER = 3.0, 10.0, 4.0
_SETTLED = 1.0
_LOG = {"maxFileBytes": 4 * 2**20, "maxFiles": 64, "shipped": True}
_MOUNT = f'mount -t tmpfs -o size={SIZE}m none "$0" && exec "$@"'
_REQUESTS = 2000
_GROWTH = 32.0
"""MiB: the runtime's buffer."""


@dataclass
class Result:
    """Milliseconds; bytes of memory; `came_back`: rows written once there was room again."""

    p99_before: float | None = None
    p99: float | None = None
    failed: int | None = None
    memory: list[int] = field(default_factory=list)
    memory_before: list[int] = field(default_factory=list)
    full: Counts | None = None
    end: Counts | None = None
    found: int | None = None

    @property
    def came_back(self) -> int | None:
        return self.end.written - self.full.written if self.end and self.full else None


def measure(bench: Bench, result: Result) -> None:
    disk = logs() / "full-disk"
    disk.mkdir()
    own = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _MOUNT, disk)
    log = {**_LOG, "directory": str(disk / "log")}
    with (
        step(f"a full disk of {SIZE} MiB"),
        flights.server("full", bench.cores.server, log=log, wrapper=_unprivileged(own)) as server,
    ):
        asked = flights.questions(_REQUESTS, "full")
        server.ready(asked[0])
        inside = Path(f"/proc/{server.pid}/root{disk}")
        messages = server.messages(asked)
        offer(server.port, messages, schedule(RATE, 1.0), bench.connections)
        with sampled(lambda: memory_of(server.pid), result.memory_before, 0.2):
            before = offer(server.port, messages, schedule(RATE, BEFORE), bench.connections)
        result.p99_before = before.latency(99)
        outcomes = _fill(bench, server, messages, inside, result)
        judge(result, before, outcomes)
        threading.Event().wait(_SETTLED)
        result.end = counts(server.metrics())
        result.found = sum(piece.count(b"\n") for piece in rows_of(inside / "log"))


def _unprivileged(words: tuple[object, ...]) -> tuple[object, ...]:
    """Whoever is not root may mount in a user namespace."""
    return words if os.geteuid() == 0 else (words[0], "--user", "--map-root-user", *words[1:])


def _fill(bench: Bench, server: Turnout, messages: list[bytes], disk: Path, result: Result) -> Outcomes:
    """Load while something else takes all the room, and gives it back."""
    started, ended = threading.Event(), threading.Event()

    def somebody_else() -> None:
        started.wait()
        filler = disk / "filler"
        _take_all(filler)
        ended.wait(FULL)
        _take_all(filler)
        result.full = counts(server.metrics())
        filler.unlink()

    hand = threading.Thread(target=somebody_else)
    hand.start()
    try:
        with sampled(lambda: memory_of(server.pid), result.memory, 0.2):
            due = schedule(RATE, FULL + AFTER, seed=1)
            return offer(server.port, messages, due, bench.connections, on_start=started.set)
    finally:
        started.set()
        ended.set()
        hand.join()


def _take_all(path: Path) -> None:
    block = bytes(2**20)
    while block:
        try:
            with path.open("ab", buffering=0) as file:
                file.write(block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            block = block[: len(block) // 2]


def judge(result: Result, before: Outcomes, outcomes: Outcomes) -> None:
    """Fill in what both loads' outcomes tell."""
    result.p99 = outcomes.between(0.0, FULL).latency(99)
    result.failed = sum(len(each) - len(each.having(200)) for each in (before, outcomes))


def rows(result: Result) -> Iterator[Row]:
    full, end = result.full, result.end
    grown = max(result.memory) - max(result.memory_before) if result.memory and result.memory_before else None
    yield info("disk full: p99 before", result.p99_before, "ms")
    yield at_most("  p99", result.p99, TIMEOUT * 1000, "ms")
    yield info("  p99 over that before", ratio(result.p99, result.p99_before), "×")
    yield at_most("  requests failed", result.failed, 0)
    yield at_most("  runtime's memory, growth", None if grown is None else grown / 2**20, _GROWTH, "MiB")
    yield at_least("  dropped, told as disk_full", full.dropped.get("disk_full", 0) if full else None, 1)
    yield at_least("  written by itself when there was room", result.came_back, 1)
    yield info("predictions", end.answered if end else None)
    yield at_most("  neither written nor told as dropped", end.missing if end else None, 0)
    lost = None if end is None or result.found is None else abs(end.written - end.pruned - result.found)
    yield at_most("  written, not in the segments", lost, 0)
