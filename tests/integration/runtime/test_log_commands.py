"""`turnout log` as somebody types it."""

import csv
import io
import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runtime.analysis.logs import NAME, lines, record, small_log, write_log, written
from tests.unit.runtime.analysis.test_log_feedback import write_feedback

from turnout_runtime.cli import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return small_log(tmp_path / "log")


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["log", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_show_says_everything(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "show", "p-1", log)
    texts = (
        "2013-07-01T00:00:00.123456Z", "entity N1  request r-1  cohort 17", "main  propensity 0.9  policy v3",
        "delay  revision delay-1  bundle sha256:aaa", "late  score 0.75  confidence 0.5  explained why-1",
        "stale_facts  because of timeout", "stale, 2.0 s old", '{"minutes":12}', '{"carrier":"UA"}',
        'weather  stale  took 1.25 ms  3.5 s old  timeout  {"wind":4.5}', "distance     1400", "wind      missing",
        "p-shadow  shadow  next  on_time  score 0.25  ok",
    )  # fmt: skip
    assert [text for text in texts if text not in out] == []
    bars = {line.split()[0]: line.count("█") for line in out.splitlines() if " ms  " in line and "█" in line}
    assert bars == {"facts": 19, "model": 9, "total": 30}
    assert "KeyError" in printed(capsys, "show", "p3", log)


def test_show_has_what_came_of_it(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"prediction_id": "p-1", "time": "2026-01-01T12:00:00Z"}
    write_feedback(log / "a", {**about, "label": "\x1b[2J", "reward": -2.5}, {"prediction_id": "p2", "label": 1})
    lines = printed(capsys, "show", "p-1", log).splitlines()
    start = lines.index("what came of it")
    assert lines[start + 1 : start + 3] == ["  2026-01-01T12:00:00.000000Z  label ·[2J  reward -2.5", ""]


def test_show_as_json_and_of_nothing(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "turnout_runtime.cli", "log", "show", "--json", "p-1", str(log)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(shown.stdout) == written()
    assert main(["log", "show", "p-0", str(log)]) == 1
    assert "p-0: no such prediction in" in capsys.readouterr().err


def test_show_obeys_no_terminal_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path, [record("p1", entity_id="\x1b[2J\nfake", context={"x": "\x1b]0;title\x07"})])
    out = printed(capsys, "show", "p1", tmp_path)
    assert "\x1b" not in out
    assert "·[2J·fake" in out


def test_query_in_every_format(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    select = "SELECT arm, count(*) AS n, max(score) AS best FROM predictions GROUP BY arm ORDER BY arm"
    assert printed(capsys, "query", log, select).split() == [
        "arm",
        "n",
        "best",
        "main",
        "2",
        "0.75",
        "next",
        "2",
        "0.75",
    ]
    rows = list(csv.reader(io.StringIO(printed(capsys, "query", log, select, "--format", "csv"))))
    assert rows == [["arm", "n", "best"], ["main", "2", "0.75"], ["next", "2", "0.75"]]
    texts = printed(capsys, "query", log, select, "-f", "json").splitlines()
    assert json.loads(texts[0]) == {"arm": "main", "n": 2, "best": 0.75}
    assert printed(capsys, "query", log, select, "-o", tmp_path / "arms.parquet") == ""
    assert printed(capsys, "query", log, select, "-o", tmp_path / "arms.csv") == ""
    assert (tmp_path / "arms.csv").read_text() == "arm,n,best\nmain,2,0.75\nnext,2,0.75\n"
    assert (tmp_path / "arms.parquet").read_bytes()[:4] == b"PAR1"


def test_query_refuses(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.parquet"
    for arguments, told in (
        ([log, "SELECT 1", "-f", "parquet"], "add -o FILE"),
        ([log, "DELETE FROM predictions"], "give one SELECT"),
        ([tmp_path / "none", "SELECT 1"], "there is no such folder"),
        ([log, "SELECT nothing FROM predictions", "-o", out], 'Referenced column "nothing" not found'),
    ):
        assert main(["log", "query", *map(str, arguments)]) == 1
        captured = capsys.readouterr()
        assert told in captured.err
        assert len(captured.err.splitlines()) == 1
    assert not out.exists()


class Tail:
    """A `turnout log tail` that runs."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "turnout_runtime.cli", "log", "tail", "--json", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def next(self) -> str:
        """The next record's id."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        assert ready, "no record in time"
        return str(json.loads(self.process.stdout.readline())["prediction_id"])

    def ends(self, code: int) -> bytes:
        assert self.process.wait(20) == code
        assert self.process.stderr
        return self.process.stderr.read()


@pytest.fixture
def tails() -> Iterator[list[Tail]]:
    started: list[Tail] = []
    yield started
    for tail in started:
        tail.process.kill()
        tail.process.wait()
        assert tail.process.stdout
        assert tail.process.stderr
        tail.process.stdout.close()
        tail.process.stderr.close()


def test_tail_follows_files_old_and_new_until_ctrl_c(tmp_path: Path, tails: list[Tail]) -> None:
    log = write_log(tmp_path / "a", [record(f"p{n}", minute=n) for n in range(5)])
    tails.append(tail := Tail(tmp_path, "-n", 2))
    assert [tail.next(), tail.next()] == ["p3", "p4"]
    whole = lines([record("p5")])
    with (log / NAME).open("ab", buffering=0) as file:
        file.write(whole[:50])
        write_log(tmp_path / "b", [record("p6")])
        assert tail.next() == "p6"
        file.write(whole[50:])
    assert tail.next() == "p5"
    tail.process.send_signal(signal.SIGINT)
    assert tail.ends(0) == b""


def test_tail_ends_when_its_reader_does_though_nothing_comes(tmp_path: Path, tails: list[Tail]) -> None:
    write_log(tmp_path, [record("p1")])
    tails.append(tail := Tail(tmp_path))
    assert tail.next() == "p1"
    assert tail.process.stdout
    started = time.monotonic()
    tail.process.stdout.close()
    assert tail.ends(0) == b""
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--arm", "next"], ["p-shadow", "p2"]),
        (["--status", "error"], ["p3"]),
        (["--revision", "none"], []),
        (["--fallback"], ["p-1"]),
        (["--fallback", "stale_facts"], ["p-1"]),
        (["--fallback", "rules"], []),
        (["--entity", "N1"], ["p-1"]),
        (["--where", "features.x = 1 AND NOT shadow"], ["p2", "p3"]),
        (["--arm", "next", "--where", "score < 0.5"], ["p-shadow"]),
        (["--where", "facts.weather.source = 'stale'", "-n", "4"], ["p-1"]),
        (["-n", "1"], ["p3"]),
        (["-n", "0"], []),
    ],
)
def test_tail_filters(
    log: Path, options: list[str], expected: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["log", "tail", str(log), "--no-follow", "--json", *options]) == 0
    assert [json.loads(line)["prediction_id"] for line in capfdbinary.readouterr().out.splitlines()] == expected


def test_tail_in_columns_and_a_wrong_condition(log: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["log", "tail", str(log), "--no-follow", "-n", "3"]) == 0
    head, first, *_, last = capfdbinary.readouterr().out.decode().splitlines()
    assert head.split()[:4] == ["time", "status", "arm", "revision"]
    assert first.split()[:4] == ["12:00:00.000000", "ok", "next", "shadow"]
    assert last.split()[-2:] == ["p3", "KeyError"]
    wrong = {"nothing = 1": 'Binder Error: Referenced column "nothing"', "true) ; SELECT (1": "give one condition"}
    for condition, told in wrong.items():
        assert main(["log", "tail", str(log), "--where", condition]) == 1
        assert f"--where: {told}" in capfdbinary.readouterr().err.decode()
