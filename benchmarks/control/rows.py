"""From measurements to rows with targets."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.control.phases import Creation, Restart, Updates
from benchmarks.control.takeover import Takeover
from benchmarks.report import Row, at_most, info, percentile, ratio

SIDES = ("turnout", "yardstick")


@dataclass
class Side:
    """What one operator reached."""

    creation: Creation | None = None
    updates: Updates = field(default_factory=Updates)
    restarts: list[Restart] = field(default_factory=list)
    peak_memory: int = 0  # KiB

    def latency(self, percent: float) -> float | None:
        found = percentile(self.updates.latencies, percent)
        return None if found is None else found * 1000

    @property
    def cpu_per_change(self) -> float | None:
        """Milliseconds."""
        changes = len(self.updates.latencies)
        return sum(work.cpu for work in self.updates.work) / changes * 1000 if changes else None

    @property
    def requests_per_change(self) -> float | None:
        changes = len(self.updates.latencies)
        return sum(sum(work.requests.values()) for work in self.updates.work) / changes if changes else None


@dataclass
class Results:
    """Everything measured so far; what is missing at the end was missed."""

    turnout: Side = field(default_factory=Side)
    yardstick: Side = field(default_factory=Side)
    programmed: float | None = None
    weights: list[float] = field(default_factory=list)
    gateway_restart: Restart | None = None
    killed: Takeover | None = None
    terminated: Takeover | None = None


def rows(results: Results) -> list[Row]:
    """All rows, those that could not be measured included."""
    return [*_updates(results), *_creation(results), *_restart(results), *_gateway(results), *_takeover(results)]


def _updates(results: Results) -> Iterable[Row]:
    ours, theirs = results.turnout, results.yardstick
    yield info("change → child applied, p50", ours.latency(50), "ms")
    yield info("  yardstick", theirs.latency(50), "ms")
    yield at_most("change → child applied, p99", ours.latency(99), 300, "ms")
    yield info("  yardstick", theirs.latency(99), "ms")
    yield at_most("  ratio", ratio(ours.latency(99), theirs.latency(99)), 1.5, "×")
    yield info("CPU per change", ours.cpu_per_change, "ms")
    yield info("  yardstick", theirs.cpu_per_change, "ms")
    yield at_most("  ratio", ratio(ours.cpu_per_change, theirs.cpu_per_change), 1.5, "×")
    yield info("API requests per change", ours.requests_per_change)
    yield info("  yardstick", theirs.requests_per_change)
    yield at_most("  ratio", ratio(ours.requests_per_change, theirs.requests_per_change), 1.5, "×")


def _creation(results: Results) -> Iterable[Row]:
    for side, name in ((results.turnout, "creation of all"), (results.yardstick, "  yardstick")):
        made = side.creation
        yield info(f"{name}: children applied", made.applied if made else None, "s")
        yield info(f"{name}: all ready", made.ready if made else None, "s")
        yield info(f"{name}: operator CPU", made.work.cpu if made else None, "s")
        yield info(f"{name}: API requests", sum(made.work.requests.values()) if made else None)
    yield at_most("operator memory, peak", _mebibytes(results.turnout), 250, "MiB")
    yield info("  yardstick", _mebibytes(results.yardstick), "MiB")


def _restart(results: Results) -> Iterable[Row]:
    ours, theirs = results.turnout.restarts, results.yardstick.restarts
    yield at_most("restart → all reconciled", _slowest(ours), 5, "s")
    yield info("  yardstick", _slowest(theirs), "s")
    yield at_most("writes at a restart without changes", _most_writes(ours), 0)
    yield info("  yardstick", _most_writes(theirs))


def _gateway(results: Results) -> Iterable[Row]:
    weights = results.weights
    yield info("gateway connects → all policies confirmed in status", results.programmed, "s")
    yield info("weight change → ACK in status, p50", _milliseconds(percentile(weights, 50)), "ms")
    yield at_most("weight change → ACK in status, p99", _milliseconds(percentile(weights, 99)), 1000, "ms")
    again = [results.gateway_restart] if results.gateway_restart else []
    yield at_most("writes at a restart with a gateway", _most_writes(again), 0)


def _takeover(results: Results) -> Iterable[Row]:
    for name, seen, limit in (("SIGKILL", results.killed, 8.0), ("SIGTERM", results.terminated, 1.0)):
        yield at_most(f"{name} → the standby's first write", seen.first_write if seen else None, limit, "s")
        yield info("  → ACK of a weight change", seen.acked if seen else None, "s")
        yield info("  slowest change meanwhile", seen.slowest if seen else None, "s")


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _mebibytes(side: Side) -> float | None:
    return side.peak_memory / 1024 if side.peak_memory else None


def _slowest(restarts: list[Restart]) -> float | None:
    return max((each.seconds for each in restarts), default=None)


def _most_writes(restarts: list[Restart]) -> float | None:
    return max((float(sum(each.writes.values())) for each in restarts), default=None)
