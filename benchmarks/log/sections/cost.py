"""Section 1: what logging costs a request: the same runtime with the log on and off, in the same rounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.harness.openloop import offer
from benchmarks.harness.ours import Turnout
from benchmarks.harness.outcomes import schedule
from benchmarks.harness.sides import Side
from benchmarks.harness.stats import median_difference, median_of, median_ratio
from benchmarks.harness.wrk import press
from benchmarks.log import flights
from benchmarks.log.bench import WARMING_SECONDS, Bench
from benchmarks.report import Row, at_least, at_most, info
from benchmarks.runtime import ours
from benchmarks.runtime.workload.requests import payments
from tests.cluster.progress import step

ON, OFF = "on", "off"
HALF = 0.5
_REQUESTS = 2000
_LOG: Mapping[str, Mapping[str, object]] = {ON: {}, OFF: {"enabled": False}}


@dataclass(frozen=True)
class Case:
    """A workflow, and what it is asked."""

    title: str
    server: Callable[[str, int, Mapping[str, object]], Turnout]
    questions: Callable[[], list[dict[str, object]]]


CASES: Mapping[str, Case] = {
    "flights": Case(
        "flights (5 features)",
        lambda name, core, log: flights.server(name, core, log=log),
        lambda: flights.questions(_REQUESTS, "cost"),
    ),
    "payments": Case(
        "payments (30 features of a history)",
        lambda name, core, log: ours.Turnout(name, core, "fraud", "fraud", prediction_log=log),
        lambda: payments(_REQUESTS),
    ),
}


@dataclass
class Compared:
    """Both sides of a case; `half` in requests a second."""

    sides: dict[str, Side] = field(default_factory=lambda: {ON: Side(), OFF: Side()})
    half: float | None = None


@dataclass
class Result:
    cases: dict[str, Compared] = field(default_factory=lambda: {name: Compared() for name in CASES})


def measure(bench: Bench, result: Result) -> None:
    for name, case in CASES.items():
        _compare(bench, name, case, result.cases[name])


def _compare(bench: Bench, name: str, case: Case, found: Compared) -> None:
    servers = {side: case.server(f"cost-{name}-{side}", bench.cores.server, log) for side, log in _LOG.items()}
    asked = case.questions()
    with servers[ON], servers[OFF]:
        for server in servers.values():
            server.ready(asked[0])
            press(server, server.messages(asked), bench.cores.load, bench.connections, WARMING_SECONDS)
        for number in range(bench.rounds):
            with step(f"{case.title}, throughput, round {number + 1} of {bench.rounds}"):
                for side in _order(number):
                    messages = servers[side].messages(asked)
                    burst = press(servers[side], messages, bench.cores.load, bench.connections, bench.seconds)
                    found.sides[side].bursts.append(burst)
        found.half = HALF * (median_of(found.sides[OFF].rates) or 0.0)
        for number in range(bench.rounds):
            with step(f"{case.title}, latency at {found.half:.0f}/s, round {number + 1} of {bench.rounds}"):
                due = schedule(found.half, bench.seconds, seed=number)
                for side in _order(number):
                    outcomes = offer(servers[side].port, servers[side].messages(asked), due, bench.connections)
                    found.sides[side].p99.append(outcomes.latency(99))
                    found.sides[side].p50.append(outcomes.latency(50))


def _order(number: int) -> Sequence[str]:
    """Neither always follows the other."""
    return (ON, OFF) if number % 2 else (OFF, ON)


def rows(result: Result) -> Iterator[Row]:
    """What is on compared with what is off, within a round; the median of the rounds."""
    bursts = [burst for case in result.cases.values() for side in case.sides.values() for burst in side.bursts]
    yield info("other people's work meanwhile", median_of([burst.others for burst in bursts]), "cores")
    for name, case in CASES.items():
        on, off = (result.cases[name].sides[side] for side in (ON, OFF))
        yield info(f"{case.title}: throughput without the log", median_of(off.rates), "/s")
        yield info("  with the log", median_of(on.rates), "/s")
        yield at_least("  ratio", median_ratio(on.rates, off.rates), 0.95, "×")
        yield info("  ratio by CPU time, also on a busy machine", median_ratio(off.cpu, on.cpu), "×")
        yield info("  CPU per request without", median_of(off.cpu), "µs")
        yield info("  more with it", median_difference(on.cpu, off.cpu), "µs")
        yield info("  half load, open loop", result.cases[name].half, "/s")
        yield info("  p99 without", median_of(off.p99), "ms")
        yield at_most("  more with it", median_difference(on.p99, off.p99), 0.2, "ms")
        yield info("  p50, more with it", median_difference(on.p50, off.p50), "ms")
