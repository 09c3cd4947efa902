"""Section 1: the same workflow, one core each, all servers in the same rounds.

Closed loop for throughput and CPU, then open loop for latency at a rate that the slowest of them carries with ease.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.harness.openloop import offer
from benchmarks.harness.outcomes import schedule
from benchmarks.harness.servers import Server
from benchmarks.harness.sides import Side
from benchmarks.harness.stats import median_of, median_ratio
from benchmarks.report import Row, at_least, at_most, info
from benchmarks.runtime import roster
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.ours import Turnout
from tests.cluster.progress import say, step

OURS, YARDSTICK = "turnout", "aiohttp"
TIMES_FASTER = {YARDSTICK: 1.4, "fastapi": 2, "fastapi-raw": 2, "mlserver": 4, "bentoml": 8, "litserve": 8}
EQUAL_LOAD = 0.4
"""Share of the slowest server's throughput that all are offered for latency."""


@dataclass
class Peer(Side):
    """One server; `start` in seconds, `memory` in MiB after the load."""

    start: float | None = None
    memory: float | None = None


@dataclass
class Result:
    """All that was measured; `equal_rate` in requests a second."""

    sides: dict[str, Peer] = field(default_factory=dict)
    equal_rate: float | None = None

    def side(self, name: str) -> Peer:
        return self.sides.setdefault(name, Peer())


def measure(bench: Bench, result: Result) -> None:
    """Start all, take turns, end all. A peer that does not start is left out, which its rows then show."""
    with ExitStack() as stack:
        servers = [server for each in _all(bench) if (server := _started(bench, each, stack, result))]
        for number in range(bench.rounds):
            with step(f"throughput, round {number + 1} of {bench.rounds}"):
                for server in _rotated(servers, number):
                    result.side(server.name).bursts.append(bench.press(server))
        rates = [median_of(result.side(server.name).rates) or 0.0 for server in servers]
        result.equal_rate = EQUAL_LOAD * min(rates)
        for number in range(bench.rounds):
            with step(f"latency at {result.equal_rate:.0f}/s, round {number + 1} of {bench.rounds}"):
                for server in _rotated(servers, number):
                    _latency(bench, server, result, number)
        for server in servers:
            result.side(server.name).memory = server.memory


def _all(bench: Bench) -> list[Server]:
    core = bench.cores.server
    return [
        Turnout(OURS, core, "fraud", "fraud"),
        roster.aiohttp(core),
        *(make(core) for make in roster.PEERS.values()),
    ]


def _started(bench: Bench, server: Server, stack: ExitStack, result: Result) -> Server | None:
    try:
        stack.enter_context(server)
        bench.prepared(server, "fraud")
    except (RuntimeError, TimeoutError, ValueError, OSError) as error:
        if server.name in (OURS, YARDSTICK):
            raise
        say(f"{server.name} is left out: {error}")
        server.stop()
        return None
    result.side(server.name).start = server.start_seconds
    return server


def _latency(bench: Bench, server: Server, result: Result, number: int) -> None:
    due = schedule(result.equal_rate or 1.0, bench.seconds, seed=number)
    outcomes = offer(server.port, server.messages(bench.payments), due, bench.connections)
    side = result.side(server.name)
    side.p50.append(outcomes.latency(50))
    side.p99.append(outcomes.latency(99))


def _rotated(servers: Sequence[Server], by: int) -> list[Server]:
    """Another order in each round, so that nobody always follows the same neighbour."""
    start = by % len(servers)
    return [*servers[start:], *servers[:start]]


def rows(result: Result) -> Iterator[Row]:
    """The comparison; a peer that could not be measured is a miss."""
    ours = result.side(OURS)
    bursts = [burst for side in result.sides.values() for burst in side.bursts]
    yield info("other people's work meanwhile", median_of([burst.others for burst in bursts]), "cores")
    yield info("throughput, one core", median_of(ours.rates), "/s")
    for name, times in TIMES_FASTER.items():
        yield at_least(f"  over {name}", median_ratio(ours.rates, result.side(name).rates), times, "×")
    yield info("  over triton", median_ratio(ours.rates, result.side("triton").rates), "×")
    yield info("CPU per request", median_of(ours.cpu), "µs")
    for name in (YARDSTICK, *roster.PEERS):
        yield info(f"  {name}", median_of(result.side(name).cpu), "µs")
    yield at_most("  ratio to triton", median_ratio(ours.cpu, result.side("triton").cpu), 1, "×")
    yield info("equal load, open loop", result.equal_rate, "/s")
    yield info("  p50", median_of(ours.p50), "ms")
    yield info("  p99", median_of(ours.p99), "ms")
    for name in (YARDSTICK, *roster.PEERS):
        ratio = median_ratio(ours.p99, result.side(name).p99)
        judged = name not in (YARDSTICK, "triton")
        row = f"  p99 over {name}'s"
        yield at_most(row, ratio, 1, "×") if judged else info(row, ratio, "×")
    for name in (OURS, YARDSTICK, *roster.PEERS):
        yield info(f"memory, {name}", result.side(name).memory, "MiB")
