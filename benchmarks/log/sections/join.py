"""Section 6: a million predictions and a million labels: the commands that a person would type, on two cores."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from benchmarks.harness.measured import Cost, measured
from benchmarks.harness.places import logs
from benchmarks.harness.stats import median_of
from benchmarks.log import logged, many, shipper
from benchmarks.log.bench import Bench
from benchmarks.report import Row, at_most, info
from tests.cluster.progress import step

SECONDS, MEMORY = 5.0, 1024.0
_MADE = 20_000
_PER_ENTITY = 5
_TIMES = 3
_TURNOUT = (sys.executable, "-m", "turnout_runtime.cli", "log")
BY_ID, BY_ENTITY = "by id", "by entity"
JUDGED = (BY_ID, BY_ENTITY)


@dataclass
class Result:
    """Costs by what was asked; `shipped`: all of it to Parquet."""

    rows: int = 0
    parquet: dict[str, list[Cost]] = field(default_factory=dict)
    lines: dict[str, list[Cost]] = field(default_factory=dict)
    shipped: Cost | None = None


def measure(bench: Bench, result: Result) -> None:
    directory, root = logs() / "join-log", logs() / "join-lake"
    _make(bench, directory)
    cores = sorted({bench.cores.load, bench.cores.server})
    with step(f"{bench.labels:,} rows to Parquet"):
        copy = logs() / "join-shipped"
        copy.mkdir()
        for path in directory.iterdir():
            (copy / path.name).hardlink_to(path)
        result.shipped = shipper.ship_once("join-ship", copy, root, cores)
    by_id, by_entity = _labels(root)
    result.rows = bench.labels
    asked = {
        BY_ID: ("labels", "--labels", by_id),
        BY_ENTITY: ("labels", "--labels", by_entity, "--by-entity"),
        "quality": ("quality", "--labels", by_id),
        "export": ("export", "--labels", by_id, "-o", logs() / "join-labels" / "export.parquet"),
    }
    for source, costs in ((root, result.parquet), (directory, result.lines)):
        for title, (command, *flags) in asked.items():
            with step(f"{title}, from {source.name}"):
                costs[title] = _costs((*_TURNOUT, command, source, *flags), cores, _TIMES if source is root else 1)


def _make(bench: Bench, directory: Path) -> None:
    records = list(logged.lines(bench.pods, _MADE))
    with step(f"{bench.labels:,} rows of {len(records):,}"):
        lines = many.multiplied(records, bench.labels, bench.labels // _PER_ENTITY)
        many.write_segments(directory, lines, logged.SEGMENT)


def _labels(root: Path) -> tuple[Path, Path]:
    """A label for each prediction, in no order: by its id, and by its entity a moment later."""
    folder = logs() / "join-labels"
    folder.mkdir()
    by_id, by_entity = folder / "by-id.parquet", folder / "by-entity.parquet"
    source = f"read_parquet('{root}/predictions/**/*.parquet', hive_partitioning = false)"
    label = "(hash(prediction_id) % 5 = 0)::INTEGER AS label"
    for path, key, later in ((by_id, "prediction_id", "1 hour"), (by_entity, "entity_id", "10 milliseconds")):
        time = f'"time" + INTERVAL {later} AS "time"'
        wanted = f"SELECT {key}, {label}, {time} FROM {source} ORDER BY hash(prediction_id)"
        with duckdb.connect() as database:
            database.execute(f"COPY ({wanted}) TO '{path}' (FORMAT parquet)")
    return by_id, by_entity


def _costs(command: Sequence[object], cores: Sequence[int], times: int) -> list[Cost]:
    return [measured("join", command, cores) for _ in range(times)]


def rows(result: Result) -> Iterator[Row]:
    """Parquet is the shape that counts."""
    yield info("predictions, and as many labels", result.rows)
    yield info("  to Parquet", result.shipped.seconds if result.shipped else None, "s")
    for name, costs in (("Parquet", result.parquet), ("JSON lines", result.lines)):
        for title in (*JUDGED, "quality", "export"):
            seconds = median_of([cost.seconds for cost in costs.get(title, [])])
            peak = max((cost.peak for cost in costs.get(title, [])), default=None)
            judged = title in JUDGED and name == "Parquet"
            row = f"{title}, from {name}"
            yield at_most(row, seconds, SECONDS, "s") if judged else info(row, seconds, "s")
            yield info("  CPU time", median_of([cost.cpu for cost in costs.get(title, [])]), "s")
            yield at_most("  peak memory", peak, MEMORY, "MiB") if judged else info("  peak memory", peak, "MiB")
