import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.runtime.builders import BUNDLES, DIGEST, member, tar_of, write_bundle

from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.cli import main

ECHO = digest_folder(BUNDLES / "echo")


def test_pack_prints_the_digest_that_the_others_see(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "echo.tar.gz")
    assert main(["bundle", "pack", str(BUNDLES / "echo"), "-o", out]) == 0
    assert main(["bundle", "digest", out]) == 0
    assert main(["bundle", "digest", str(BUNDLES / "echo")]) == 0
    assert main(["bundle", "verify", out, "--digest", ECHO]) == 0
    assert capsys.readouterr().out.splitlines() == [ECHO, ECHO, ECHO, f"echo 1 {ECHO}"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify", str(BUNDLES / "echo"), "--digest", DIGEST], f"wanted {DIGEST}, got {ECHO}"),
        (["verify", str(BUNDLES / "bad-manifest")], "bundle.yaml: workflow: "),
        (["verify", "/no/such"], "/no/such does not exist"),
        (["run", str(BUNDLES / "echo"), "--facts", "no.yaml"], "turnout: no.yaml: No such file or directory"),
        (["digest", "/no/such"], "/no/such does not exist"),
        (["pack", "/no/such", "-o", "x"], "/no/such does not exist"),
        (["pack", str(BUNDLES / "bad-manifest"), "-o", "x"], "bundle.yaml: workflow: "),
        (["pack", str(BUNDLES / "echo"), "-o", str(BUNDLES / "echo" / "x")], "is inside the bundle"),
        (["pack", str(BUNDLES / "echo"), "-o", "/no/such/x"], "/no/such"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bundle", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err
    assert len(captured.err.splitlines()) == 1


def test_verify_wants_the_manifest_at_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "verify", str(tar_of(tmp_path / "x.tgz", member("in/bundle.yaml", b"a")))]) == 1
    assert main(["bundle", "verify", str(write_bundle(tmp_path / "in").parent)]) == 1
    assert capsys.readouterr().err.count("no bundle.yaml at the bundle's root") == 2


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"turnout \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_log_cat_prints_whole_rows_and_stops_quietly(tmp_path: Path) -> None:
    row = b'{"pad":"' + b"x" * 10_000 + b'"}\n'
    (tmp_path / "predictions-20130701T000000000Z-1-1.jsonl").write_bytes(row * 100)
    cat = [sys.executable, "-m", "turnout_runtime.cli", "log", "cat", str(tmp_path)]
    done = subprocess.run(cat, capture_output=True, check=True)
    assert done.stdout == row * 100
    head = subprocess.run(["bash", "-c", '"$@" | head -c 10', "-", *cat], capture_output=True, check=True)
    assert (head.stdout, head.stderr) == (row[:10], b"")


def test_log_cat_without_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "cat", str(tmp_path / "absent")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
