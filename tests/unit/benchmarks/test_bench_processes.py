"""Processes of a benchmark: all of a family ends, and nobody else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.harness import places, proc, processes
from benchmarks.harness.processes import Process, end_leftovers, free_port

CORE = min(os.sched_getaffinity(0))
STUBBORN = "trap '' TERM; sleep 300 & echo started; wait; sleep 300"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "_logs", tmp_path)
    monkeypatch.setattr(processes, "_PATIENCE", 0.2)
    return tmp_path


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(stat: proc.Stat) -> bool:
    now = proc.table().get(stat.pid)
    return now is not None and now.started == stat.started


def test_a_process_ends_with_its_children_however_stubborn():
    with Process("stubborn", ["bash", "-c", STUBBORN], CORE) as process:
        wait(lambda: len(process.family) == 2)
        members = process.family
    wait(lambda: not any(map(runs, members)))


def test_a_process_runs_on_its_core_with_its_environment():
    code = "import os; print(os.sched_getaffinity(0), os.environ['BENCH'])"
    with Process("child", [sys.executable, "-c", code], CORE, {"BENCH": "yes"}) as process:
        wait(lambda: process.log.read_text() != "")
    assert process.log.read_text() == f"{{{CORE}}} yes\n"


def test_a_process_that_ended_says_its_last_words():
    with (
        Process("short", ["bash", "-c", "echo no such port >&2; exit 3"], CORE) as process,
        pytest.raises(RuntimeError, match="short has ended:\nno such port"),
    ):
        process.wait_until(lambda: False, seconds=10)


def test_waiting_ends_in_time():
    with Process("idle", ["sleep", "60"], CORE) as process, pytest.raises(TimeoutError, match="idle was not there"):
        process.wait_until(lambda: False, seconds=0.05)


def test_leftovers_of_a_killed_run_end_and_reused_pids_do_not(folder: Path):
    ours, another = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    try:
        started = {pid: proc.table()[pid].started for pid in (ours.pid, another.pid)}
        lines = f"{ours.pid} {started[ours.pid]}\n{another.pid} {started[another.pid] - 1}\n"
        (folder / "processes").write_text(lines)
        end_leftovers()
        assert ours.wait(10) == -9
        assert another.poll() is None
    finally:
        for process in (ours, another):
            process.kill()
            process.wait()


def test_free_ports_can_be_listened_on():
    assert 1024 < free_port() < 65536
