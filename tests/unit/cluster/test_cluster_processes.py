import os
import sys
from pathlib import Path

import pytest
from tests.cluster import processes
from tests.cluster.processes import Component, Running, Supervisor

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(tmp_path / "processes", tmp_path / "logs")


def end_all(supervisor: Supervisor) -> None:
    for pid in supervisor.marked():
        processes.kill({pid: processes.start_time(pid)})
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue


def test_start_time_survives_odd_names_and_refuses_the_dead() -> None:
    fields = " ".join(str(number) for number in range(4, 53))
    assert processes.parse_stat(f"17 (a) b (c)) S {fields}") == 22
    assert processes.parse_stat(f"17 (a) Z {fields}") is None


def test_ensure_starts_once_and_again_when_the_command_changes(supervisor: Supervisor) -> None:
    try:
        assert supervisor.ensure(Component("a", SLEEP))
        first = supervisor.recorded("a")
        assert first is not None
        assert first.alive
        assert not supervisor.ensure(Component("a", SLEEP))
        assert supervisor.ensure(Component("a", (*SLEEP, "changed")))
        assert not first.alive
    finally:
        end_all(supervisor)


def test_processes_have_their_own_session_and_are_found_without_records(supervisor: Supervisor) -> None:
    try:
        supervisor.ensure(Component("a", SLEEP))
        record = supervisor.recorded("a")
        assert record is not None
        assert os.getsid(record.pid) == record.pid
        (supervisor.folder / "a.json").unlink()
        assert processes.wait_for(lambda: supervisor.marked() == [record.pid], 5)
    finally:
        end_all(supervisor)
    assert supervisor.marked() == []


def test_a_recycled_pid_is_neither_alive_nor_killed() -> None:
    started = processes.start_time(os.getpid())
    assert started is not None
    recycled = Running(os.getpid(), started - 1, ())
    assert not recycled.alive
    processes.kill({os.getpid(): started - 1})  # would end this test run


def test_a_half_written_record_counts_as_none(supervisor: Supervisor) -> None:
    supervisor.folder.mkdir()
    (supervisor.folder / "a.json").write_text('{"pid": 1')
    assert supervisor.recorded("a") is None
