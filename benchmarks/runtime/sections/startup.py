"""Section 5: from the start of the process to ready, and the memory it holds then, without a model."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.harness.stats import median_of
from benchmarks.report import Row, at_most, info
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.ours import Turnout
from tests.cluster.progress import step

STARTS = 7
_PATIENCE = 20.0


@dataclass
class Result:
    """One entry a start: seconds until ready, MiB then, and MiB after a burst of requests."""

    seconds: list[float | None] = field(default_factory=list)
    memory: list[float | None] = field(default_factory=list)
    memory_loaded: list[float | None] = field(default_factory=list)


def measure(bench: Bench, result: Result) -> None:
    with step(f"{STARTS} starts"):
        for _ in range(STARTS):
            server = Turnout("startup", bench.cores.server, "plain")
            started = time.perf_counter()
            with server:
                server.wait_until(server.is_ready, _PATIENCE, every=0.005)
                result.seconds.append(time.perf_counter() - started)
                result.memory.append(server.memory)
                bench.press(server, seconds=1)
                result.memory_loaded.append(server.memory)


def rows(result: Result) -> Iterator[Row]:
    yield at_most("start to ready without a model", median_of(result.seconds), 1, "s")
    yield info("  slowest", max((s for s in result.seconds if s is not None), default=None), "s")
    yield at_most("memory when ready", median_of(result.memory), 90, "MiB")
    yield info("  after a burst of requests", median_of(result.memory_loaded), "MiB")
