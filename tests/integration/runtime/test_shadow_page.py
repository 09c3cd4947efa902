"""The queries of docs/shadows.md, on a log with copies."""

import re
import shlex
from pathlib import Path

import pytest
from tests.unit.runtime.analysis.logs import record, write_log

from turnout_runtime.cli import main

PAGE = Path(__file__).parents[3] / "docs/shadows.md"


def pair(number: int, decision: str, score: float) -> list[dict[str, object]]:
    """An original, and the copy's answer."""
    request = {"request_id": f"r-{number}", "status": "ok"}
    original = record(f"p-{number}", **request, decision="late", score=0.5, revision="delay-1")
    copy = record(f"s-{number}", **request, decision=decision, score=score, revision="delay-nn-1", shadow=True)
    return [original, copy]


def test_the_queries_compare_copies_with_their_originals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [("late", 0.5), ("late", 0.6), ("on_time", 0.1), ("late", 0.7)]
    pairs = [each for number, said in enumerate(answers) for each in pair(number, *said)]
    write_log(tmp_path / "logs", [*pairs, record("alone", status="ok"), record("lost", shadow=True, status="ok")])
    monkeypatch.chdir(tmp_path)
    found = []
    for command in re.findall(r'^turnout (log query \w+ "[^"]*")$', PAGE.read_text(), re.MULTILINE):
        assert main([*shlex.split(command), "--format", "csv"]) == 0
        found.append([line.split(",") for line in capsys.readouterr().out.splitlines()])
    (_, figures), (_, worst, *others) = found
    assert figures[:3] == ["delay-nn-1", "4", "0.75"]
    assert [round(float(each), 3) for each in figures[3:]] == [-0.025, 0.15, 0.394]
    assert worst == ["r-2", "late", "on_time", "-0.4"]
    assert len(others) == 3
