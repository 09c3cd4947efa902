"""Section 2: from the runtime's segments to Parquet: how quick on one core, and how small."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.measured import Cost
from benchmarks.harness.places import logs
from benchmarks.harness.stats import median_of
from benchmarks.log import lake, logged, many, shipper
from benchmarks.log.bench import Bench
from benchmarks.log.flights import SHARES
from benchmarks.report import Row, at_least, at_most, info, ratio
from tests.cluster.progress import step

_TIMES = 3


@dataclass
class Arm:
    """One arm's log: bytes of JSON lines, and of Parquet for so many rows; each conversion's cost."""

    rows: int = 0
    lines: int = 0
    parquet: int = 0
    files: int = 0
    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu(self) -> float | None:
        """Seconds."""
        return median_of([cost.cpu for cost in self.costs])


@dataclass
class Result:
    """`idle`: what a shipper costs that finds a single row."""

    arms: dict[str, Arm] = field(default_factory=lambda: {arm: Arm() for arm in SHARES})
    idle: list[Cost] = field(default_factory=list)
    known: float | None = None


def measure(bench: Bench, result: Result) -> None:
    directories = bench.pods
    result.known = logged.known(directories)
    core = [bench.cores.server]
    with step(f"to Parquet, {_TIMES} times"):
        for number in range(_TIMES):
            few = logs() / f"convert-few-{number}"
            many.write_segments(few, many.multiplied(list(logged.lines(directories, 1)), 1, 1), logged.SEGMENT)
            result.idle.append(shipper.ship_once("convert-few", few, logs() / f"convert-few-{number}-lake", core))
            for arm, directory in directories.items():
                _convert(result.arms[arm], directory, logs() / f"convert-{arm}-{number}", core)


def _convert(found: Arm, directory: Path, target: Path, core: list[int]) -> None:
    """A copy, since what is shipped is removed."""
    copy = target.with_name(f"{target.name}-log")
    copy.mkdir()
    for path in directory.glob("*.jsonl"):
        (copy / path.name).hardlink_to(path)
    found.lines = sum(path.stat().st_size for path in copy.iterdir())
    found.costs.append(shipper.ship_once("convert", copy, target, core))
    got = lake.read(target)
    found.rows, found.parquet, found.files = got.rows, got.bytes, got.files


def rows(result: Result) -> Iterator[Row]:
    """A long-lived process starts once: what one costs that finds a single row is taken off."""
    arms = list(result.arms.values())
    count, idle = sum(arm.rows for arm in arms), median_of([cost.cpu for cost in result.idle])
    known = [arm.cpu for arm in arms if arm.cpu is not None]
    busy = sum(known) - len(known) * idle if idle is not None and len(known) == len(arms) else None
    peaks = [cost.peak for arm in arms for cost in arm.costs]
    yield info("rows of the flight example", count)
    yield at_least("  of their facts live or cached, as in the example", result.known, logged.KNOWN)
    yield info("  bytes per row as JSON lines", ratio(sum(arm.lines for arm in arms), count))
    yield at_least("to Parquet, rows per second of CPU time", ratio(count, busy), 20_000, "/s")
    for name, arm in result.arms.items():
        yield info(f"  {name}", ratio(arm.rows, (arm.cpu or 0.0) - (idle or 0.0)), "/s")
    yield info("  CPU time of a start for one row", idle, "s")
    yield at_most("  bytes per row", ratio(sum(arm.parquet for arm in arms), count), 150)
    for name, arm in result.arms.items():
        yield info(f"  {name}, of {arm.files} files", ratio(arm.parquet, arm.rows))
    yield at_most("  peak memory", max(peaks, default=None), 256, "MiB")
