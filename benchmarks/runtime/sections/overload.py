"""Section 2: three times the load that the runtime carries, from callers that do not slow down for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from benchmarks.harness.openloop import offer
from benchmarks.harness.outcomes import Outcomes, schedule
from benchmarks.harness.sampled import memory_of, sampled
from benchmarks.harness.stats import growth, median_of
from benchmarks.report import Row, at_least, at_most, info, ratio
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.ours import TIMEOUT, Turnout
from tests.cluster.progress import step

TIMES = 3
_SETTLING_SECONDS = 1.0
_SAMPLE_SECONDS = 0.1
_LENGTH = 4  # so many of the bench's bursts
_PEAK_BURSTS = 3
_CALLERS = 512  # connections
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Case:
    """A model and the limits that suit it; `connections` that keep it busy."""

    title: str
    model: str
    connections: int
    serving: Mapping[str, Any]


CASES: Mapping[str, Case] = {
    "light": Case("100 trees (3 µs a row)", "fraud", 64, _NOTHING),
    "heavy": Case("matrices (2 ms a row)", "matrix", 16, {"concurrency": 8, "maxQueueDepth": 16}),
}


@dataclass
class Overload:
    """One case: rates in requests a second, latencies in milliseconds; `memory` sampled in bytes while it lasted."""

    peak: float | None = None
    offered: float | None = None
    goodput: float | None = None
    accepted_p99: float | None = None
    shed_p99: float | None = None
    shed_median: float | None = None
    neither: float | None = None
    lag: float | None = None
    memory: list[int] = field(default_factory=list)


@dataclass
class Result:
    cases: dict[str, Overload] = field(default_factory=lambda: {name: Overload() for name in CASES})


def measure(bench: Bench, result: Result) -> None:
    for name, case in CASES.items():
        with (
            step(f"overload, {case.title}"),
            Turnout(f"overload-{name}", bench.cores.server, "fraud", case.model, case.serving) as server,
        ):
            bench.prepared(server, case.model)
            _overload(bench, server, case, result.cases[name])


def _overload(bench: Bench, server: Turnout, case: Case, found: Overload) -> None:
    found.peak = median_of([bench.press(server, case.connections).rate for _ in range(_PEAK_BURSTS)])
    found.offered = TIMES * (found.peak or 0.0)
    seconds = _LENGTH * bench.seconds
    messages = server.messages(bench.payments)
    with sampled(lambda: memory_of(server.pid), found.memory, _SAMPLE_SECONDS, _SETTLING_SECONDS):
        outcomes = offer(server.port, messages, schedule(found.offered, seconds), _CALLERS)
    judge(found, outcomes.between(_SETTLING_SECONDS, seconds), seconds - _SETTLING_SECONDS)


def judge(found: Overload, outcomes: Outcomes, seconds: float) -> None:
    """Fill in what the outcomes of so many seconds of overload tell."""
    accepted, shed = outcomes.having(200), outcomes.having(429)
    found.goodput = len(accepted) / seconds
    found.accepted_p99 = accepted.latency(99)
    found.shed_p99, found.shed_median = shed.latency(99), shed.latency(50)
    found.neither = 1 - (len(accepted) + len(shed)) / max(1, len(outcomes))
    found.lag = outcomes.lag()


def rows(result: Result) -> Iterator[Row]:
    for name, case in CASES.items():
        found = result.cases[name]
        yield info(f"overload, {case.title}: peak", found.peak, "/s")
        yield info("  offered", found.offered, "/s")
        yield at_least("  goodput over peak", ratio(found.goodput, found.peak), 0.9, "×")
        yield at_most("  accepted, p99", found.accepted_p99, TIMEOUT * 1000, "ms")
        yield info("  shed, p50", found.shed_median, "ms")
        yield at_most("  shed, p99", found.shed_p99, 5, "ms")
        yield at_most("  neither answered nor shed", found.neither, 0.001)
        yield at_most("  memory, growth meanwhile", growth(found.memory), 0.05)
        yield info("  lateness of the generator, p99", found.lag, "ms")
