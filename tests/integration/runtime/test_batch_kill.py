"""A run of several processes that is killed, and taken up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.unit.runtime.builders import write_bundle
from tests.unit.runtime.offline.offline_bundle import ORDERS, WORKFLOW, job, jsonl, rates

from turnout_runtime.offline import run as offline

ROWS = 320
PART = 20


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    write_bundle(tmp_path / "bundle", workflow_py=WORKFLOW)
    jsonl(tmp_path / "orders.jsonl", [{**ORDERS[n % 3], "pause": 0.1} for n in range(ROWS)])
    return [
        *(sys.executable, "-m", "turnout_runtime.cli", "batch", "--bundle", str(tmp_path / "bundle")),
        *("--input", str(tmp_path / "orders.jsonl"), "--facts", f"rate={rates(tmp_path)}", "--time-column", "at"),
        *("--processes", "2", "--rows-per-part", str(PART)),
    ]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def parts(output: Path) -> int:
    return len(list(output.with_name(f"{output.name}.parts").glob("part-*.jsonl")))


@pytest.mark.parametrize("victim", ["parent", "worker"])
def test_a_killed_run_is_finished_to_the_same_output(tmp_path: Path, command: list[str], victim: str) -> None:
    output = tmp_path / "scores.csv"
    process = subprocess.Popen([*command, "--output", str(output)], stderr=subprocess.PIPE)
    wait_until(lambda: parts(output) >= 3)
    workers = children(process.pid)
    assert len(workers) >= 2
    os.kill(process.pid if victim == "parent" else workers[-1], signal.SIGKILL)
    _, told = process.communicate(timeout=20)
    if victim == "worker":
        assert process.returncode == 1
        assert b"a process was killed, perhaps for its memory" in told
    wait_until(lambda: not any(map(alive, workers)), 5)
    kept = parts(output)
    assert 3 <= kept < ROWS // PART
    assert not output.exists()
    task = {"entityIdColumn": None, "rowsPerPart": PART}
    assert offline.run(job(tmp_path, output=str(output), **task), resume="yes").answered == ROWS - kept * PART
    whole = tmp_path / "whole.csv"
    offline.run(job(tmp_path, output=str(whole), **{**task, "rowsPerPart": ROWS}))
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if "parts" in path.name) == []


def test_ctrl_c_ends_it_at_once_and_leaves_nobody(tmp_path: Path, command: list[str]) -> None:
    output = tmp_path / "scores.csv"
    process = subprocess.Popen([*command, "--output", str(output)], stderr=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: parts(output) >= 1)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in told
    wait_until(lambda: not any(map(alive, workers)), 5)
    assert not output.exists()
