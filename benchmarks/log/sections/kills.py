"""Section 3: SIGKILL at random, to the runtime, the shipper or both, under load: what was acknowledged is at the sink.

A row may be missing only when its answer went out within the last flush interval before the runtime was killed.
"""

import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness.openloop import offer
from benchmarks.harness.outcomes import Outcomes, schedule
from benchmarks.harness.places import logs
from benchmarks.harness.processes import Process
from benchmarks.harness.stats import median_of
from benchmarks.log import lake
from benchmarks.log.bench import Bench
from benchmarks.log.lake import Lake
from benchmarks.log.shipper import Shipper
from benchmarks.report import Row, at_least, at_most, info
from benchmarks.runtime.ours import Turnout
from benchmarks.runtime.workload.requests import payments
from tests.cluster.progress import step

FLUSH = 0.2
"""Seconds: the default flush interval."""
RATE = 1000.0
_CONNECTIONS = 32
_LOAD = (0.1, 0.9)  # seconds of load until the kill
_EARLY = 0.1  # share of kills that come while the runtime starts
_STARTING = 30.0  # seconds that a start takes at most
_START = 0.6  # seconds in which it starts, about
_AFTER = 0.3  # seconds of load that go on when only the shipper was killed
_ENDING = 120.0  # seconds for the shipper to deliver the rest
_LOG: Mapping[str, Any] = {"maxFileBytes": 256 * 1024, "maxFiles": 4096, "maxAgeSeconds": 1.0, "shipped": True}
RUNTIME, SHIPPER, BOTH = "runtime", "shipper", "both"


@dataclass(frozen=True)
class Answered:
    """A request that was answered; `age`: seconds from then until the runtime was killed, None when it was not."""

    request_id: str
    age: float | None


@dataclass
class Result:
    """`kills`: how many of each kind; `starts`: seconds from a runtime's start to its first answer."""

    kills: dict[str, int] = field(default_factory=lambda: {RUNTIME: 0, SHIPPER: 0, BOTH: 0})
    early: int = 0
    wanted: int = 100
    starts: list[float] = field(default_factory=list)
    answered: int | None = None
    asked: int = 0
    missing: list[float | None] = field(default_factory=list)
    """Ages (see `Answered`) of those that are not at the sink."""
    unknown: int | None = None
    rows: int = 0
    doubled: int | None = None
    files: int = 0
    left: int | None = None
    unreadable: list[str] | None = None


def measure(bench: Bench, result: Result) -> None:
    result.wanted = bench.kills
    folder, root = logs() / "kills-log", logs() / "kills-lake"
    folder.mkdir()
    log = {**_LOG, "directory": str(folder), "flushSeconds": FLUSH}
    runtime = Turnout("kills-runtime", bench.cores.server, "plain", prediction_log=log)
    sink = {"directory": {"path": str(root)}}
    with (
        step(f"{bench.kills} kills") as current,
        Shipper("kills-shipper", bench.cores.load, folder, sink) as shipper,
        ExitStack() as stack,
    ):
        stack.callback(runtime.stop)
        storm, alive = _Storm(runtime, shipper, result), False
        while (number := sum(result.kills.values())) < bench.kills:
            current.note = f"{number}"
            alive = storm.strike() if alive else storm.start()
        runtime.stop(_ENDING)
        shipper.wait_until(shipper.is_up, _STARTING)
        shipper.stop(_ENDING)
    judge(result, storm.answered, storm.asked, lake.read(root))
    result.left = len(list(folder.glob("*.jsonl*"))) + len(list((folder / "rejected").glob("*")))


class _Storm:
    """Load, and kills amid it; who was answered when."""

    def __init__(self, runtime: Turnout, shipper: Process, result: Result) -> None:
        self._runtime, self._shipper, self._result = runtime, shipper, result
        self._random = random.Random(5)  # the same storm each time
        self._payments = payments(int(RATE * 2))
        self.answered: list[Answered] = []
        self.asked = 0

    def start(self) -> bool:
        """Whether the runtime lives to answer; some are killed before."""
        started = time.perf_counter()
        self._runtime.start()
        if self._random.random() >= _EARLY:
            self._runtime.wait_until(self._runtime.is_ready, _STARTING)
            self._result.starts.append(time.perf_counter() - started)
            return True
        time.sleep(self._random.uniform(0, _START))
        self._runtime.kill()
        self._result.kills[RUNTIME] += 1
        self._result.early += 1
        return False

    def strike(self) -> bool:
        """Load until the kill; whether the runtime has survived it."""
        runtime, shipper = self._runtime, self._shipper
        target = self._random.choices((RUNTIME, SHIPPER, BOTH), (2, 1, 1))[0]
        wait = self._random.uniform(*_LOAD)
        kinds: dict[str, list[Process]] = {RUNTIME: [runtime], SHIPPER: [shipper], BOTH: [runtime, shipper]}
        victims = kinds[target]
        asked = self._questions()
        begun, killed = [0.0], [0.0]
        started = threading.Event()

        def begin() -> None:
            begun[0] = time.perf_counter()
            started.set()

        def kill() -> None:
            started.wait()
            time.sleep(wait)
            killed[0] = time.perf_counter()
            for victim in victims:
                victim.kill()

        hand = threading.Thread(target=kill)
        hand.start()
        try:
            due = schedule(RATE, wait + _AFTER, seed=self._random.randrange(2**31))
            outcomes = offer(runtime.port, runtime.messages(asked), due, _CONNECTIONS, patience=1.0, on_start=begin)
        finally:
            started.set()
            hand.join()
        self._result.kills[target] += 1
        self._note(asked, outcomes, None if target == SHIPPER else killed[0] - begun[0])
        if shipper in victims:
            shipper.start()
        return target == SHIPPER

    def _questions(self) -> list[dict[str, Any]]:
        """Each with an id that no other has."""
        begin, self.asked = self.asked, self.asked + len(self._payments)
        return [{**payment, "request_id": f"k-{begin + n}"} for n, payment in enumerate(self._payments)]

    def _note(self, asked: list[dict[str, Any]], outcomes: Outcomes, killed: float | None) -> None:
        """`killed`: seconds from the load's start."""
        for each, status, done in zip(asked, outcomes.status, outcomes.done, strict=False):
            if status == 200:
                age = None if killed is None else killed - float(done)
                self.answered.append(Answered(each["request_id"], age))


def judge(result: Result, answered: list[Answered], asked: int, got: Lake) -> None:
    """Compare what was answered with what arrived."""
    result.answered, result.asked = len(answered), asked
    result.missing = [each.age for each in answered if each.request_id not in got.requests]
    result.unknown = sum(not _asked(request_id, asked) for request_id in got.requests)
    twice = sum(count - 1 for count in got.requests.values())
    result.rows, result.doubled, result.files = got.rows, max(twice, got.doubled), got.files
    result.unreadable = got.unreadable


def _asked(request_id: str, asked: int) -> bool:
    with suppress(ValueError):
        return request_id.startswith("k-") and int(request_id.removeprefix("k-")) < asked
    return False


def rows(result: Result) -> Iterator[Row]:
    ages = [age for age in result.missing if age is not None]
    late = sum(age is None or age > FLUSH for age in result.missing) if result.answered else None
    total = sum(result.kills.values())
    yield at_least("SIGKILLs under load", total, result.wanted)
    for name, count in result.kills.items():
        yield info(f"  {name}", count)
    yield info("  while the runtime started", result.early)
    yield info("predictions acknowledged", result.answered)
    yield at_most("  lost, older than a flush interval at the kill", late, 0)
    yield info("  lost, younger", sum(age <= FLUSH for age in ages))
    yield info("  the oldest that was lost", max(ages) * 1000 if ages else None, "ms before the kill")
    yield at_most("  doubled at the sink", result.doubled, 0)
    yield at_most("  at the sink, never asked", result.unknown, 0)
    yield at_most("unreadable files", None if result.unreadable is None else len(result.unreadable), 0)
    yield info("  of", result.files)
    yield at_most("segments left behind", result.left, 0)
    yield info("start to ready, over an earlier one's remains", median_of(list(result.starts)), "s")
