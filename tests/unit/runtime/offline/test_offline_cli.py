"""`turnout batch` from options to output."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.offline.offline_bundle import FALLBACK, ORDERS, job, jsonl, table

from turnout_runtime.cli import main
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.offline.pod import shard_of
from turnout_runtime.offline.settings import read_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the bundle and its tables."""
    job(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def batch(*options: str) -> int:
    return main(["batch", "--bundle", "bundle", *options])


def test_options_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ("--time-column", "at", "--entity-id-column", "who", "--request-id-column", "who")
    facts = "rate=rates.jsonl,key=key,time=time,max-age=3600"
    options = ("--input", "orders.jsonl", "--output", "s.csv", "--facts", facts, "--processes", "1")
    assert batch(*options, *columns) == 0
    assert [row["request_id"] for row in table("s.csv")] == ["a", "b", "c", "d"]
    told = capsys.readouterr().err
    assert (
        "s.csv: 4 rows: 3 error, 1 ok (most: ValueError: no rate)" in told
    )  # the others' rates are older than an hour
    assert "4 rows answered in" in told


def test_options_win_over_the_file(folder: Path) -> None:
    section = {"input": "nowhere.csv", "output": "s.csv", "timeColumn": "at", "facts": {"rate": {"uri": "nowhere.csv"}}}
    document = {"namespace": "passed over", "batch": section, "facts": FALLBACK}
    (folder / "batch.json").write_text(json.dumps(document))
    assert batch("--config", "batch.json", "--input", "orders.jsonl", "--facts", "rate=rates.jsonl", "--features") == 0
    rows = table("s.csv")
    assert [row["score"] for row in rows] == [15.0, 120.0, 7.0, 6.25]
    assert [row["features.rate"] for row in rows] == [1.5, 2.0, 1.0, 1.25]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "s.csv"], "batch.input: Field required: see `turnout batch --help`"),
        (["--input", "x.csv", "--output", "s.csv", "--processes", "0"], "batch.processes: Input should be greater"),
        (["--input", "x.csv", "--output", "s.csv", "--config", "no.json"], "cannot read no.json: No such file"),
        (["--input", "x.csv", "--output", "s.csv"], "batch.input: x.csv: there is no such file"),
        (["--input", "orders.jsonl", "--output", "s.csv"], "add --facts rate=TABLE"),
        (["--bundle", "nowhere"], "nowhere does not exist: give a bundle's folder or its .tar.gz"),
        (["--bundle", "s3://b/x.tar.gz"], "give the digest, too"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    if "--bundle" in options:
        options = [*options, "--input", "orders.jsonl", "--output", "s.csv"]
    assert batch("--processes", "1", *options) == 1
    told = capsys.readouterr().err
    assert told.startswith("turnout: ")
    assert message in told
    assert "Traceback" not in told


@pytest.mark.parametrize("text", ["rate", "rate=", "=x.csv", "rate=x.csv,colour=blue"])
def test_facts_that_cannot_be_meant(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        batch("--facts", text)
    assert "--facts" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"batch": []}'])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(ConfigInvalid, match=r"b\.json"):
        read_settings(tmp_path / "b.json", {}, {})


@pytest.mark.parametrize(
    ("shards", "index", "expected"),
    [(1, None, 0), (1, "0", 0), (4, "3", 3), (4, "4", None), (4, None, None), (2, "-1", None)],
)
def test_the_shard_of_a_pod(shards: int, index: str | None, expected: int | None) -> None:
    environment = {} if index is None else {"JOB_COMPLETION_INDEX": index}
    if expected is None:
        with pytest.raises(ConfigInvalid, match=r"batch\.shards is"):
            shard_of(shards, environment)
    else:
        assert shard_of(shards, environment) == expected


def test_an_unfinished_run_of_something_else_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state: dict[str, Any] = {"started_ns": 1, "fingerprint": {"bundle": "other"}}
    (folder / "s.csv.parts").mkdir()
    (folder / "s.csv.parts" / "run.json").write_text(json.dumps(state))
    options = ("--input", "orders.jsonl", "--output", "s.csv", "--facts", "rate=rates.jsonl", "--processes", "1")
    assert batch(*options, "--resume") == 1
    assert "the unfinished run had another bundle, columns, " in capsys.readouterr().err
    jsonl(folder / "orders.jsonl", ORDERS[:1])
    assert batch(*options) == 0
    assert len(table("s.csv")) == 1
