"""`turnout log labels`, `quality` and `export` as somebody types them, and the page that shows them."""

import csv
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.integration.runtime.commands import Commands
from tests.unit.runtime.analysis.logs import small_log, write_csv
from tests.unit.runtime.analysis.test_log_feedback import write_feedback

from turnout_runtime.cli import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return small_log(tmp_path / "log")


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["log", *map(str, arguments)]) == 0
    return capsys.readouterr().out


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_csv(
        tmp_path / "labels.csv", "prediction_id,label,reward", [("p-1", 1, 2.5), ("p2", 0, 1), ("p9", 1, 1)]
    )


def test_labels_say_what_fits(log: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "labels", log, "--labels", labels, "-o", tmp_path / "o.parquet").splitlines()
    assert [line.split() for line in out[:3]] == [
        ["revision", "arm", "answers", "labelled", "share"],
        ["delay-1", "main", "1", "1", "100.0%"],
        ["delay-1", "next", "1", "1", "100.0%"],
    ]
    assert out[3] == "labels: 3 rows, 1 unknown (of no answer in this log), 2 used"
    table = printed(capsys, "query", tmp_path / "o.parquet", "SELECT count(*) AS n FROM predictions")
    assert table.split() == ["n", "2"]


def test_quality_as_text_and_as_json(log: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "quality", str(log), "--labels", str(labels)]) == 0
    said = capsys.readouterr()
    assert "delay-1   next  answer    1         1" in said.out
    assert "too little data: 0 positives, 10 needed: AUC of delay-1 next answer" in said.out
    assert said.err == "labels: 3 rows, 1 unknown (of no answer in this log), 2 used\n"
    document = json.loads(printed(capsys, "quality", log, "--labels", labels, "--json", "--by", "day", "--ipw"))
    assert document["weighted"]
    assert document["labels"]["used"] == 2
    kinds = {(group["arm"], group["kind"]): group for group in document["groups"]}
    assert set(kinds) == {("main", "fallback"), ("next", "answer"), ("next", "shadow")}
    assert kinds["next", "shadow"]["base_rate"]["value"] == 1.0
    assert kinds["main", "fallback"]["start"] == "2013-07-01T00:00Z"


def test_export_and_its_refusals(log: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = tmp_path / "train.csv"
    assert main(["log", "export", str(log), "--labels", str(labels), "-o", str(train)]) == 0
    assert (
        capsys.readouterr()
        .err.splitlines()[1]
        .endswith("train.csv: 2 rows, 3 features; left out: 0 without a label, 0 without features")
    )
    header, first, second = csv.reader(train.read_text().splitlines())
    assert header[9:] == ["feature.distance", "feature.x", "feature.wind", "label", "reward", "label_time"]
    assert (first[0], first[9:14]) == ("p-1", ["1400.0", "", "", "1.0", "2.5"])
    assert (second[0], second[9:14]) == ("p2", ["", "1.0", "", "0.0", "1.0"])
    for options, told in (
        (["--as-of", "2026-02-01"], "no column time: name the labels' own time with --time-column"),
        (["--labels", str(tmp_path / "none.csv")], "there is no such file"),
    ):
        assert main(["log", "export", str(log), "--labels", str(labels), "-o", str(train), *options]) == 1
        assert told in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["log", "export", str(log), "--labels", str(labels), "-o", str(train), "--window", "soon"])
    assert "'soon' is no span of time such as 90m, 24h, 30d" in capsys.readouterr().err


def test_the_commands_of_the_page(log: Path, labels: Path, tmp_path: Path, commands: Commands) -> None:
    page = (Path(__file__).parents[3] / "docs" / "prediction-log.md").read_text()
    (tmp_path / "log").rename(tmp_path / "logs")
    write_feedback(tmp_path / "logs" / "a", {"prediction_id": "p-1", "label": 1})
    for code in re.findall(r"```sh\n(.*?)```", page, re.S):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=tmp_path, env={**os.environ, "PATH": commands.path}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{code}\n{done.stderr}"
    assert (tmp_path / "train.parquet").exists()
