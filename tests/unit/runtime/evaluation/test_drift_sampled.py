"""A sampled log is compared as what it is a sample of."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.analysis.logs import write_hive
from tests.unit.runtime.evaluation.evaluation_logs import log, record, weather

from turnout_runtime.analysis.sampled import is_sampled
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.cli import main
from turnout_runtime.evaluation.sampling import thinned

RATE = 0.1


def everything(count: int) -> list[dict[str, Any]]:
    """A twentieth rests on a fallback, and blows."""
    rows = weather(count, seed=7)
    for row in rows[::20]:
        row["fallback_used"] = True
        row["features"]["wind"] = 40.0
    return rows


def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a log keeps of it at a rate of a tenth."""
    return [
        {**row, "sample_rate": 1.0 if row["fallback_used"] else RATE}
        for number, row in enumerate(rows)
        if row["fallback_used"] or number % 10 == 3
    ]


def test_fallbacks_that_were_all_kept_move_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = everything(20_000)
    full, sampled = log(tmp_path / "full", rows), log(tmp_path / "sampled", kept(rows))
    unaware = log(tmp_path / "unaware", [{**row, "sample_rate": 1.0} for row in kept(rows)])
    psi = {}
    for name, place in (("sampled", sampled), ("unaware", unaware)):
        assert main(["drift", "--log", str(place), "--reference", str(full), "--json"]) == 0
        ((found),) = json.loads(capsys.readouterr().out)
        psi[name] = next(column["psi"] for column in found["columns"] if column["name"] == "features.wind")
    assert psi["sampled"] < 0.05
    assert psi["unaware"] > 0.25


def test_a_log_is_known_to_be_sampled_whatever_its_files(tmp_path: Path) -> None:
    plain, sampled = record(1, sample_rate=1.0), record(2, sample_rate=0.5, context={"sample_rate": 1})
    assert not is_sampled(LogSource([log(tmp_path / "a", [plain])]))
    assert is_sampled(LogSource([log(tmp_path / "b", [plain, sampled])]))
    for name, rows in (("c", [plain]), ("d", [plain, sampled])):
        write_hive(tmp_path / name, "predictions", "2023-11-14T22", rows)
        assert is_sampled(LogSource([tmp_path / name])) == (name == "d")


def test_thinning_keeps_a_shadow_with_its_original() -> None:
    rows = [record(n, sample_rate=1.0) for n in range(400)]
    shadows = [{**row, "prediction_id": f"s{n}", "shadow": True} for n, row in enumerate(rows)]
    found = list(thinned([*rows, *shadows], 0.25))
    ids = [row["request_id"] for row in found]
    assert 60 < len(found) / 2 < 140
    assert sorted(ids) == sorted([*set(ids), *set(ids)])
