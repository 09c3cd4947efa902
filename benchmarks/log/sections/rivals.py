"""Section 7: other loggers, the same rows: CPU time on the caller's thread, and in all, until they are in a file."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.measured import measured
from benchmarks.harness.places import logs
from benchmarks.harness.stats import median_of
from benchmarks.log import logged
from benchmarks.log.bench import Bench
from benchmarks.report import Row, at_least, info
from benchmarks.runtime.environments import environment
from tests.cluster.progress import say, step

OURS = "turnout"
RIVALS = ("queue_handler", "bentoml_monitor")
TITLES = {"queue_handler": "logging.QueueHandler with JSON", "bentoml_monitor": "BentoML's monitor"}
_FOLDER = Path(__file__).parents[1] / "rivals"
_ROWS = 10_000
_ROUNDS = 3


@dataclass(frozen=True)
class Spent:
    """µs of CPU a row."""

    caller: float
    total: float


@dataclass
class Result:
    spent: dict[str, list[Spent]] = field(default_factory=dict)

    def median(self, name: str, part: str) -> float | None:
        return median_of([getattr(spent, part) for spent in self.spent.get(name, [])])


def measure(bench: Bench, result: Result) -> None:
    source = logs() / "rivals" / "rows.jsonl"
    source.parent.mkdir()
    source.write_bytes(b"".join(line + b"\n" for line in logged.lines(bench.pods, _ROWS)))
    programs = _programs()
    for number in range(_ROUNDS):
        with step(f"loggers, round {number + 1} of {_ROUNDS}"):
            for name, python in programs.items():
                result.spent.setdefault(name, []).append(_run(bench, name, python, source))


def _programs() -> Mapping[str, Path]:
    """Python by logger; one whose environment cannot be made is left out."""
    programs = {OURS: Path(sys.executable), "queue_handler": Path(sys.executable)}
    try:
        return {**programs, "bentoml_monitor": environment("bentoml") / "bin" / "python"}
    except Exception as error:
        say(f"bentoml_monitor is left out: {error}")
        return programs


def _run(bench: Bench, name: str, python: Path, source: Path) -> Spent:
    target, output = logs() / "rivals" / name, logs() / f"rivals-{name}.log"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    output.unlink(missing_ok=True)
    env = {"BENTOML_HOME": str(target / "home"), "BENTOML_DO_NOT_TRACK": "True"}
    argv = [python, _FOLDER / f"{name}.py", source, target]
    measured(f"rivals-{name}", argv, [bench.cores.server], env=env)
    last, *warnings = reversed(output.read_text().splitlines())
    if warnings:  # a logger that complains of its rows is not at its best
        raise RuntimeError(f"{name} says {warnings[0]!r}")
    told = json.loads(last)
    written = sum(_lines(path) for path in target.rglob("*") if path.is_file())
    if written < told["expected"]:
        raise RuntimeError(f"{name} wrote {written} of {told['expected']} rows")
    return Spent(told["caller"], told["total"])


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(line[:1] == b"{" for line in file)


def rows(result: Result) -> Iterator[Row]:
    for part, title in (("caller", "CPU on the caller's thread, per row"), ("total", "CPU in all, per row")):
        ours = result.median(OURS, part)
        yield info(title, ours, "µs")
        for name in RIVALS:
            theirs = result.median(name, part)
            yield info(f"  {TITLES[name]}", theirs, "µs")
            times = theirs / ours if ours and theirs else None
            yield at_least("    over ours", times, 1, "×") if part == "total" else info("    over ours", times, "×")
