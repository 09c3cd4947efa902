"""Section 4: what dynamic batching gives where it pays, and what it costs where it does not."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.harness.stats import median_of, median_ratio
from benchmarks.harness.wrk import Burst
from benchmarks.report import Row, at_least, at_most, info
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.ours import TIMEOUT, Turnout
from tests.cluster.progress import step

STRATEGIES = ("none", "dynamic")


@dataclass(frozen=True)
class Case:
    """A model, how many connections ask for it, and how throughput with batching must compare."""

    title: str
    model: str
    connections: int
    times: float


CASES = (
    Case("a network whose weights are read once a run", "network", 64, 3.0),
    Case("matrices, where all work is per row", "matrix", 16, 0.95),
    Case("100 trees", "fraud", 64, 0.95),
)


@dataclass
class Result:
    """Bursts by model and strategy, one a round."""

    bursts: dict[str, dict[str, list[Burst]]] = field(
        default_factory=lambda: {case.model: {strategy: [] for strategy in STRATEGIES} for case in CASES}
    )


def measure(bench: Bench, result: Result) -> None:
    for case in CASES:
        with step(f"batching, {case.title}"), ExitStack() as stack:
            servers = {name: stack.enter_context(_server(bench, case, name)) for name in STRATEGIES}
            for server in servers.values():
                bench.prepared(server, case.model)
            for _ in range(bench.rounds):
                for name, server in servers.items():
                    result.bursts[case.model][name].append(bench.press(server, case.connections))


def _server(bench: Bench, case: Case, strategy: str) -> Turnout:
    serving: Mapping[str, object] = {"batching": {"strategy": strategy}}
    return Turnout(f"batching-{case.model}-{strategy}", bench.cores.server, "fraud", case.model, serving)


def rows(result: Result) -> Iterator[Row]:
    for case in CASES:
        alone, batched = (result.bursts[case.model][strategy] for strategy in STRATEGIES)
        yield info(f"batching, {case.title}: without", median_of([burst.rate for burst in alone]), "/s")
        yield info("  dynamic", median_of([burst.rate for burst in batched]), "/s")
        ratio = median_ratio([burst.rate for burst in batched], [burst.rate for burst in alone])
        yield at_least("  dynamic over without", ratio, case.times, "×")
        yield at_most("  dynamic, p99", median_of([burst.p99 for burst in batched]), TIMEOUT * 1000, "ms")
