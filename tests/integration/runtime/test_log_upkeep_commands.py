"""`turnout log forget`, `verify`, `compact` and `report` as somebody types them."""

import json
from pathlib import Path

import pytest
from tests.unit.runtime.analysis.logs import NAME, record, segment, write_hive

from turnout_runtime.cli import main
from turnout_runtime.log.privacy import pseudonym


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["log", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_forget_says_what_it_did_and_writes_a_receipt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, key = tmp_path / "log", tmp_path / "key"
    key.write_text("a secret of the log\n")
    hashed = pseudonym(b"a secret of the log", "N2")
    segment(log, [[record("p1", entity_id="N1"), record("p2", entity_id=hashed), record("p3")]])
    receipt = tmp_path / "receipt.json"
    out = printed(capsys, "forget", "N1", "N2", log, "--hashed-with", key, "--receipt", receipt)
    assert "2 rows removed, sha256:" in out
    assert out.endswith("2 rows of 1 files removed\nread again: 1 files, 0 rows left\n")
    written = json.loads(receipt.read_bytes())
    assert (written["removed"], written["left"], written["log"]) == (2, {}, [str(log)])
    assert "N1" not in receipt.read_text()
    assert "0 rows of 0 files removed" in printed(capsys, "forget", "N1", log)
    key.write_text(" ")
    assert main(["log", "forget", "N1", str(log), "--hashed-with", str(key)]) == 1
    assert "the file is empty" in capsys.readouterr().err


def test_verify_and_compact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(2):
        write_hive(tmp_path, "predictions", "2026-01-01T12", [record(f"p{n}")], f"pod-{n}.parquet")
    assert printed(capsys, "verify", tmp_path).splitlines() == [
        "predictions: 2 rows in 2 files, 0 of them twice", "feedback: 0 rows in 0 files, 0 of them twice", "sound",
    ]  # fmt: skip
    assert "2 files of 1 hours merged into 1: " in printed(capsys, "compact", tmp_path, "--older-than", "1h")
    segment(tmp_path / "pod", [[record("p1")]]).write_bytes(b"#1 999 00000000\n{")
    assert main(["log", "verify", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert f"{NAME}: 17 bytes are in no sound block" in said.out
    assert said.err == "turnout: 1 faults, 0 records twice\n"


def test_report_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = segment(tmp_path / "log", [[record(f"p{n}", minute=n) for n in range(9)]]).parent
    out = printed(capsys, "report", log, "-o", tmp_path / "r.html", "--since", "2026-01-01T12:04:00Z")
    assert out.startswith(f"{tmp_path}/r.html: ")
    assert "2026-01-01 12:04:00 to 2026-01-01 12:08:00 UTC" in (tmp_path / "r.html").read_text()
    assert main(["log", "report", str(log), "-o", str(tmp_path / "s.html"), "--until", "2020-01-01"]) == 1
    assert "there are no predictions in this range" in capsys.readouterr().err
    assert not (tmp_path / "s.html").exists()
