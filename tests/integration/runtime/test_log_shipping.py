"""A shipper that is a process: killed at any moment it doubles nothing, told to end it loses nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.runtime.log_shipping import Written, left, metric, shipping
from tests.integration.runtime.process import free_port
from tests.unit.runtime.ship.segments import delivered, row, segment, write

from turnout_runtime.cli import main
from turnout_runtime.log.files import LogFiles


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_at_random_it_delivers_every_row_once(tmp_path: Path) -> None:
    chance, log, lake = random.Random(5), tmp_path / "log", tmp_path / "lake"
    written = Written(log)
    for _ in range(12):
        written.more(3)
        with shipping(log, "--to", str(lake)) as process:
            time.sleep(chance.uniform(0.2, 1.6))
            process.send_signal(signal.SIGKILL)
            process.wait()
    with shipping(log, "--to", str(lake), "--once") as process:
        assert process.wait(60) == 0, (tmp_path / "shipper.log").read_text()
    assert delivered(lake) == written.expected("p")
    assert delivered(lake, "feedback_id", "feedback") == written.expected("f")
    assert left(log) == 0
    assert [path.name for path in (log / "ship").iterdir()] == [".lock"]
    assert not list(lake.rglob("*.new"))
    assert "Traceback" not in (tmp_path / "shipper.log").read_text()


def test_told_to_end_it_ships_the_rest_of_writers_that_are_gone(tmp_path: Path) -> None:
    log, lake = tmp_path / "log", tmp_path / "lake"
    written = Written(log)
    written.more(2)
    with shipping(log, "--to", str(lake), "--to", "stdout:") as process:
        until(lambda: len(delivered(lake)) == written.rows)
        written.more(1)
        path = write(log, 99, [row(1000), row(1001)], live=True)
        path.write_bytes(path.read_bytes() + b"#1 99999 0123abcd\n{torn")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert delivered(lake) == [*written.expected("p"), "p1000", "p1001"]
    told = (tmp_path / "shipper.log").read_bytes().splitlines()
    lines = [json.loads(line) for line in told if b'"schema_version"' in line]
    assert {line["prediction_id"] for line in lines if "feedback_id" not in line} == set(delivered(lake))


def test_a_directory_that_refuses_is_told_and_holds_up_no_other_sink(tmp_path: Path) -> None:
    log, lake = tmp_path / "log", tmp_path / "lake"
    written = Written(log)
    written.more(2)
    (tmp_path / "file").write_text("no folder")
    config = tmp_path / "ship.json"
    places = {"bad": tmp_path / "file", "lake": lake}
    sinks = [{"name": name, "directory": {"path": str(path)}} for name, path in places.items()]
    port = free_port()
    config.write_text(json.dumps({"directory": str(log), "sinks": sinks, "port": port}))
    command = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            until(lambda: len(delivered(lake)) == written.rows)
            until(lambda: metric(port, "turnout_log_sink_up") == {'{sink="bad"}': 0.0, '{sink="lake"}': 1.0})
            until(lambda: metric(port, "turnout_log_delivered_rows_total")['{sink="lake"}'] == 2 * written.rows)
            assert metric(port, "turnout_log_pending_bytes")['{sink="bad"}'] > 0
            assert metric(port, "turnout_log_lag_seconds")['{sink="lake"}'] == 0
            (tmp_path / "file").unlink()
            until(lambda: left(log) == 0)
        finally:
            process.kill()
        assert process.stderr is not None
        assert b"sink bad" in process.stderr.read()
    assert delivered(tmp_path / "file") == written.expected("p")


def test_what_is_rotten_is_put_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    log, lake = tmp_path / "log", tmp_path / "lake"
    log.mkdir()
    write(log, 1, [row(1)])
    (log / segment(2).name).write_bytes(b"\x00" * 5000)
    write(log, 3, [row(3)])
    with shipping(log, "--to", str(lake), "--once") as process:
        assert process.wait(60) == 0
    assert delivered(lake) == ["p1", "p3"]
    assert [path.name for path in (log / "rejected").iterdir()] == [segment(2).name]
    assert not list(log.glob("*.jsonl"))


def test_what_a_pod_that_is_no_more_had_delivered_does_not_come_twice(tmp_path: Path) -> None:
    """Its log is shipped by hand, on another machine and without its name, to a sink that has a part of it."""
    log, lake, config = tmp_path / "log", tmp_path / "lake", tmp_path / "ship.json"
    written = Written(log)
    written.more(2)
    sinks = [{"name": "lake", "directory": {"path": str(lake)}}, {"name": "down", "directory": {"path": str(config)}}]
    config.write_text(json.dumps({"directory": str(log), "sinks": sinks, "port": 0}))
    command = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship"]
    for more, pod, code in ((["--config", str(config)], "pod-7", 1), ([str(log), "--to", str(lake)], "laptop", 0)):
        environment = {**os.environ, "POD_NAME": pod}
        assert subprocess.run([*command, *more, "--once"], env=environment, capture_output=True).returncode == code
        assert delivered(lake) == written.expected("p")
    assert left(log) == 0
    assert all(path.name.startswith("pod-7-") for path in lake.rglob("*.parquet"))


def test_once_says_what_is_left_since_it_is_still_written_to_and_tail_what_it_cannot_follow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, lake = tmp_path / "log", tmp_path / "lake"
    Written(log).more(1)
    files = LogFiles(log, 10**6, 8)
    files.append([row(1)])
    with shipping(log, "--to", str(lake), "--once") as process:
        assert process.wait(60) == 0
    assert "1 segment is still written to, and left" in (tmp_path / "shipper.log").read_text()
    (tmp_path / "empty").mkdir()
    with shipping(tmp_path / "empty", "--to", str(lake), "--once") as process:
        assert process.wait(60) == 0
    assert "empty: no segments are there: give one pod's log" in (tmp_path / "shipper.log").read_text()
    assert main(["log", "tail", "--no-follow", str(lake)]) == 1
    assert "shipped files appear as a whole" in capsys.readouterr().err
    assert main(["log", "tail", "--no-follow", str(lake), str(log)]) == 0
    assert "p1" in capsys.readouterr().out


def test_once_says_what_could_not_be_delivered(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Written(log).more(1)
    (tmp_path / "file").write_text("no folder")
    with shipping(log, "--to", str(tmp_path / "file"), "--once") as process:
        assert process.wait(60) == 1
    assert "not all was delivered" in (tmp_path / "shipper.log").read_text()
    assert left(log) > 0
