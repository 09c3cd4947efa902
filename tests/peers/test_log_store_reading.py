"""Logs in a real object store: read, by hour, forgotten, merged and checked."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.peers.object_store import ObjectStore
from tests.unit.runtime.analysis.logs import feedback, record, write_hive

from turnout_runtime.cli import main
from turnout_runtime.offline.place import folder_of

HOURS = ("2026-01-01T12", "2026-01-01T13")


@pytest.fixture
def root(cloud: ObjectStore, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A sink's root with two files in each of two hours, and feedback."""
    for number, hour in enumerate(HOURS):
        for pod in ("a", "b"):
            rows = [record(f"{pod}{number}", entity_id=f"e{pod}", minute=60 * number + 5)]
            write_hive(tmp_path, "predictions", hour, rows, f"{pod}.parquet")
    said = [feedback(f"f{pod}", prediction_id=f"{pod}0", label=1, minute=90) for pod in ("a", "b")]
    write_hive(tmp_path, "feedback", HOURS[1], said)
    uri = f"s3://models/logs-{request.node.name}"
    for path in tmp_path.rglob("*.parquet"):
        folder_of(uri).put(path, path.relative_to(tmp_path).as_posix())
    return uri


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main(["log", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def ids(root: str, capsys: pytest.CaptureFixture[str], *options: object) -> list[str]:
    select = "SELECT prediction_id AS id FROM predictions ORDER BY 1"
    out = printed(capsys, "query", root, select, "-f", "json", *options)
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_a_store_is_read_as_a_folder_is_and_only_the_hours_that_count(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ids(root, capsys) == ["a0", "a1", "b0", "b1"]
    (tmp_path / "broken").write_text("no Parquet")
    name = f"predictions/namespace=demo/objective=late/hour={HOURS[0]}/a.parquet"
    folder_of(root).put(tmp_path / "broken", name)
    assert ids(root, capsys, "--since", "2026-01-01T13:00:00Z") == ["a1", "b1"]
    assert main(["log", "verify", root]) == 1
    assert "a.parquet: cannot be read" in capsys.readouterr().out


def test_labels_and_a_report_come_from_the_store_alone(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "2 used" in printed(capsys, "labels", root)
    printed(capsys, "report", root, "-o", tmp_path / "r.html")
    assert "Quality per revision and arm" in (tmp_path / "r.html").read_text()


def test_an_entity_in_a_store_is_forgotten(root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "forget", "ea", root, "--receipt", tmp_path / "receipt.json")
    assert "3 rows of 3 files removed\nread again: 3 files, 0 rows left" in out
    assert ids(root, capsys) == ["b0", "b1"]
    receipt = json.loads((tmp_path / "receipt.json").read_bytes())
    assert {each["removed"] for each in receipt["files"]} == {1}
    assert "feedback: 1 rows in 1 files" in printed(capsys, "verify", root)


def test_hours_in_a_store_are_merged(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "4 files of 2 hours merged into 2" in printed(capsys, "compact", root, "--older-than", "1h")
    assert len(folder_of(root).names()) == 3
    assert ids(root, capsys) == ["a0", "a1", "b0", "b1"]
    assert "predictions: 4 rows in 2 files, 0 of them twice" in printed(capsys, "verify", root)


def test_a_store_without_a_log(cloud: ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "query", "s3://models/nothing-here", "SELECT 1"]) == 1
    assert "nothing is there: give the root of a sink" in capsys.readouterr().err
