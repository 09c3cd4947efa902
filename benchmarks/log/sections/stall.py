"""Section 4: the sink stalls for minutes at full load: nothing grows, nobody notices, nothing is counted wrongly.

A second runtime whose log nobody ships takes a short turn after each burst: what the machine does to both cancels out.
"""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.ours import Turnout
from benchmarks.harness.sampled import memory_of, sampled
from benchmarks.harness.stats import median_difference, median_of, median_ratio
from benchmarks.harness.wrk import Burst, press
from benchmarks.log import flights, lake
from benchmarks.log.bench import WARMING_SECONDS, Bench
from benchmarks.log.counts import Counts, counts
from benchmarks.log.shipper import SINK, Shipper
from benchmarks.log.store import Store
from benchmarks.report import Row, at_least, at_most, info
from tests.cluster.progress import Step, step

FILE_BYTES, FILES = 16 * 2**20, 8
BOUND = FILE_BYTES * FILES / 2**20
"""MiB of segments."""
BUFFER = 32.0
"""MiB that the runtime holds at most for a disk that is slow."""
SHIPPER = 256.0
"""MiB that the shipper has at most."""
_LOG = {"maxFileBytes": FILE_BYTES, "maxFiles": FILES, "maxAgeSeconds": 5.0, "shipped": True}
_REQUESTS = 2000
_BEFORE = 5  # bursts
_BURST = 10  # seconds
_CONTROL = 3  # seconds
_CATCHING_UP = 180.0
_SETTLED = 1.0  # seconds after the last answer until its row is written
_MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """MiB: resident, and of segments."""

    runtime: float
    shipper: float
    segments: float


@dataclass
class Result:
    """Pairs of bursts, in turns: the runtime whose sink stalls, and the one that has none.

    `caught_up`: seconds from the sink's return until nothing was left to deliver, with no load.
    """

    control: list[Burst] = field(default_factory=list)
    stalled: list[Burst] = field(default_factory=list)
    ordinary: list[Sample] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    seconds: float | None = None
    lag: float | None = None
    caught_up: float | None = None
    counts: Counts | None = None
    delivered: int | None = None
    arrived: int | None = None
    doubled: int | None = None
    unreadable: list[str] | None = None


def measure(bench: Bench, result: Result) -> None:
    core = bench.cores.load
    with (
        Store("stall-store", core) as store,
        flights.server("stall", bench.cores.server, log=_LOG) as server,
        flights.server("stall-control", bench.cores.server, log={**_LOG, "shipped": False}) as control,
        Shipper("stall-shipper", core, _made(server.records), store.sink, store.env) as shipper,
    ):
        store.ready()
        asked = flights.questions(_REQUESTS, "stall")
        server.ready(asked[0])
        shipper.wait_until(shipper.is_up, 30.0)
        messages = server.messages(asked)
        control.ready(asked[0])
        for each in (server, control):
            _load(bench, each, messages, WARMING_SECONDS)
        with step("full load"), sampled(lambda: _sample(server, shipper), result.ordinary, 1.0):
            for _ in range(_BEFORE):
                _load(bench, server, messages, bench.seconds)
        with step(f"full load, and the sink stalls for {bench.minutes:g} min") as current:
            _stall(bench, store, (server, control), shipper, messages, result, current)
        with step("the sink is back"):
            result.caught_up = _caught_up(shipper)
        time.sleep(_SETTLED)
        result.counts = counts(server.metrics())
        result.delivered = int(shipper.metrics().total("turnout_log_delivered_rows_total", sink=SINK))
        server.stop()
        shipper.stop(_CATCHING_UP)
        got = lake.read(store.root)
        result.arrived, result.doubled, result.unreadable = got.rows, got.doubled, got.unreadable


def _stall(
    bench: Bench,
    store: Store,
    servers: tuple[Turnout, Turnout],
    shipper: Shipper,
    messages: list[bytes],
    result: Result,
    current: Step,
) -> None:
    (server, control), started = servers, time.monotonic()
    store.signal(signal.SIGSTOP)
    try:
        with sampled(lambda: _sample(server, shipper), result.samples, 1.0):
            while (left := bench.minutes * 60 - (time.monotonic() - started)) > 0:
                seconds = max(1, min(_BURST, round(left)))
                result.stalled.append(_load(bench, server, messages, seconds))
                result.control.append(_load(bench, control, messages, min(_CONTROL, seconds)))
                current.note = f"{result.stalled[-1].rate:,.0f}/s"
        result.lag = shipper.metrics().total("turnout_log_lag_seconds", sink=SINK)
    finally:
        store.signal(signal.SIGCONT)
    result.seconds = time.monotonic() - started


def _load(bench: Bench, server: Turnout, messages: list[bytes], seconds: int) -> Burst:
    return press(server, messages, bench.cores.load, bench.connections, seconds)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _sample(server: Turnout, shipper: Shipper) -> Sample:
    segments = sum(path.stat().st_size for path in server.records.glob("*.jsonl*"))
    return Sample(memory_of(server.pid) / _MIB, memory_of(shipper.pid) / _MIB, segments / _MIB)


def _caught_up(shipper: Shipper) -> float | None:
    """Without load: until nothing is left; None when it does not come to that."""
    started = time.monotonic()
    while (passed := time.monotonic() - started) < _CATCHING_UP:
        if shipper.metrics().total("turnout_log_pending_bytes", sink=SINK) == 0 and passed > _SETTLED:
            return passed
        time.sleep(0.2)
    return None


def rows(result: Result) -> Iterator[Row]:
    stalled, control = result.stalled, result.control
    yield info("other people's work meanwhile", median_of([burst.others for burst in stalled + control]), "cores")
    yield info("sink stalled", result.seconds, "s")
    yield info("  throughput, of one without a sink", median_of([burst.rate for burst in control]), "/s")
    rates = median_ratio([burst.rate for burst in stalled], [burst.rate for burst in control])
    yield at_least("  throughput over that", rates, 0.95, "×")
    cpu = median_ratio([burst.cpu for burst in stalled], [burst.cpu for burst in control])
    yield info("  CPU per request over that", cpu, "×")
    yield info("  p99, of one without a sink", median_of([burst.p99 for burst in control]), "ms")
    p99 = median_difference([burst.p99 for burst in stalled], [burst.p99 for burst in control])
    yield info("  p99, more than that", p99, "ms")
    failed = sum(burst.failed for burst in stalled) if stalled else None
    yield at_most("  requests failed", failed, 0)
    yield from _memory(result)
    yield info("  lag, told at the end", result.lag, "s")
    yield at_most("  caught up after", result.caught_up, _CATCHING_UP, "s")
    yield from _balance(result)


def _memory(result: Result) -> Iterator[Row]:
    ordinary, samples = result.ordinary, result.samples
    grown = max(s.runtime for s in samples) - max(s.runtime for s in ordinary) if samples and ordinary else None
    yield at_most("  runtime's memory, growth", grown, BUFFER, "MiB")
    yield at_most("  shipper's memory", max((s.shipper for s in samples), default=None), SHIPPER, "MiB")
    yield at_most("  segments", max((s.segments for s in samples), default=None), BOUND, "MiB")


def _balance(result: Result) -> Iterator[Row]:
    """Every prediction is somewhere; each figure that must be 0 is a count that is wrong."""
    told, arrived = result.counts, result.arrived
    yield info("predictions", told.answered if told else None)
    yield info("  dropped for others, told", told.pruned if told else None)
    yield info("  at the sink", arrived)
    yield at_most("  neither written nor told as dropped", told.missing if told else None, 0)
    lost = None if told is None or arrived is None else abs(told.written - told.pruned - arrived)
    yield at_most("  written, neither at the sink nor told as dropped", lost, 0)
    wrong = None if arrived is None or result.delivered is None else abs(arrived - result.delivered)
    yield at_most("  at the sink, not told as delivered", wrong, 0)
    yield at_most("  doubled at the sink", result.doubled, 0)
    yield at_most("  unreadable files", None if result.unreadable is None else len(result.unreadable), 0)
