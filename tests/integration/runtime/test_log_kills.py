"""Processes that write a log and are killed, over and over, in one directory."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.runtime import log_writing
from tests.integration.runtime.process import config_for, running
from tests.unit.runtime.builders import BUNDLES

from turnout_runtime.log.read import blocks_of, log_files, rows
from turnout_runtime.log.recover import recover

LIVES = 10


def _live(directory: Path, flush: str, first: int, count: int) -> list[int]:
    """The numbers that a process told until it was killed, soon after `count` of them."""
    command = [sys.executable, log_writing.__file__, str(directory), flush, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    assert process.returncode == -signal.SIGKILL
    return told


@pytest.mark.parametrize(("flush", "most"), [("0", 1000), ("0.004", 6000)])
def test_killed_over_and_over_nothing_is_torn_or_doubled_and_what_was_flushed_is_there(
    flush: str, most: int, tmp_path: Path
) -> None:
    chance, lives, first = random.Random(flush), list[list[int]](), 0
    for _ in range(LIVES):
        lives.append(_live(tmp_path, flush, first, chance.randrange(1, most)))
        first = lives[-1][-1] + 1_000_000
    recover(tmp_path)
    assert not list(tmp_path.glob("*.open"))
    kept = [json.loads(row)["n"] for row in b"".join(rows(tmp_path)).splitlines()]
    assert len(kept) == len(set(kept))
    for told in lives:
        of_it = [number for number in kept if told[0] <= number < told[0] + 1_000_000]
        assert of_it == list(range(told[0], told[0] + len(of_it)))  # a beginning of what it wrote, in order
        if flush == "0":
            assert len(of_it) >= len(told)
    assert sum(bool(list(blocks_of(path))) for path in log_files(tmp_path)) > LIVES // 2


def test_answers_of_a_runtime_that_is_killed_are_in_the_log_that_the_next_one_recovers(tmp_path: Path) -> None:
    log = {"directory": str(tmp_path / "log"), "maxFileBytes": 1_000_000, "maxFiles": 4, "flushSeconds": 0}
    config, answered = config_for(tmp_path, BUNDLES / "echo", predictionLog=log), list[str]()
    for _ in range(3):
        with running(tmp_path, config) as runtime:
            answered += [runtime.predict().body["prediction_id"] for _ in range(5)]
            runtime.process.kill()
            runtime.process.wait()
    with running(tmp_path, config) as runtime:
        runtime.wait_for(lambda: runtime.metric("turnout_log_recovered_total") > 0)
        assert runtime.terminate() == 0
        assert [record["prediction_id"] for record in runtime.records()] == answered
    assert all(path.suffix == ".jsonl" for path in (tmp_path / "log").iterdir())
