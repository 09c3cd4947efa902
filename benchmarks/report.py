"""Rows of a benchmark: what was measured, against which target, and how that is told to people, files and make."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `value` None was not reached; `ok` None has no target."""

    metric: str
    value: float | None
    unit: str = ""
    target: str = ""
    ok: bool | None = None


def info(metric: str, value: float | None, unit: str = "") -> Row:
    """A figure without a target."""
    return Row(metric, value, unit)


def at_most(metric: str, value: float | None, limit: float, unit: str = "") -> Row:
    """A figure that must not exceed `limit`; a missing one is a miss."""
    return Row(metric, value, unit, f"≤ {limit:g}", value is not None and value <= limit)


def at_least(metric: str, value: float | None, limit: float, unit: str = "") -> Row:
    """A figure that must reach `limit`; a missing one is a miss."""
    return Row(metric, value, unit, f"≥ {limit:g}", value is not None and value >= limit)


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """`ours` over `theirs`, None where either is missing or nothing."""
    return ours / theirs if ours is not None and theirs else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def table(rows: Sequence[Row]) -> str:
    """The rows in columns."""
    lines = [(row.metric, _number(row.value), row.unit, row.target, _mark(row.ok)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = "<><<<"
    return "\n".join(
        "  ".join(f"{cell:{align}{width}}" for cell, align, width in zip(line, aligned, widths, strict=True)).rstrip()
        for line in lines
    )


def finish(name: str, rows: Sequence[Row], details: Mapping[str, Any], folder: Path = RESULTS) -> int:
    """Print the rows and the count, write `<folder>/<name>.json` (the rows) and `<name>-details.json`.

    Returns the exit code, 1 on a miss.
    """
    judged = [row.ok for row in rows if row.ok is not None]
    circumstances = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        **details,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{name}.json", [asdict(row) for row in rows])
    _write(folder / f"{name}-details.json", circumstances)
    print(table(rows))
    print(f"{judged.count(True)} passed, {judged.count(False)} failed")
    return 1 if False in judged else 0


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"


def _mark(ok: bool | None) -> str:
    return {True: "ok", False: "MISSED", None: ""}[ok]
