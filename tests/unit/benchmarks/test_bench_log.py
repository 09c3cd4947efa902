"""The prediction log's benchmark: its rows, and what its sections judge by."""

import sys
from pathlib import Path

import duckdb
import orjson
import pytest
from benchmarks.harness import places
from benchmarks.harness.measured import Cost, measured
from benchmarks.harness.metrics import parse
from benchmarks.harness.stats import median_difference
from benchmarks.harness.wrk import Burst
from benchmarks.log import lake
from benchmarks.log.counts import Counts, counts
from benchmarks.log.lake import Lake
from benchmarks.log.many import multiplied, write_segments
from benchmarks.log.sections import convert, cost, full, join, kills, rivals, stall
from benchmarks.log.sections.kills import Answered

from turnout_runtime.log.read import rows as rows_of

METRICS = """# TYPE turnout_requests counter
turnout_requests_total{status="ok",arm="main"} 90.0
turnout_requests_total{status="shed",arm="main"} 10.0
# TYPE turnout_log_records counter
turnout_log_records_total 95.0
# TYPE turnout_log_dropped counter
turnout_log_dropped_total{reason="disk_full"} 5.0
turnout_log_dropped_total{reason="disk_bound"} 20.0
turnout_log_dropped_total{reason="io_error"} 0.0
"""


def verdicts(section, result):
    return {row.metric.strip(): row.ok for row in section.rows(result) if row.ok is not None}


@pytest.mark.parametrize("section", [cost, convert, kills, stall, full, join, rivals])
def test_a_section_that_was_not_measured_misses_its_targets(section):
    judged = verdicts(section, section.Result())
    assert judged
    assert not any(judged.values())


def test_samples_are_added_up_by_their_labels():
    metrics = parse(METRICS)
    assert metrics.total("turnout_requests_total") == 100
    assert metrics.total("turnout_requests_total", status="shed") == 10
    assert metrics.total("turnout_requests_total", status="ok", arm="other") == 0


def test_counts_tell_rows_that_made_room_from_those_never_written():
    told = counts(parse(METRICS))
    assert told == Counts(100, 95, {"disk_full": 5, "disk_bound": 20})
    assert (told.pruned, told.refused, told.missing) == (20, 5, 0)
    assert Counts(100, 95, {}).missing == 5
    assert Counts(100, 100, {"disk_full": 5}).missing == 5


def test_differences_are_taken_within_a_round():
    assert median_difference([5.0, 12.0, None], [4.0, 10.0, 1.0]) == 1.5
    assert median_difference([None], [1.0]) is None


def test_what_a_burst_costs_with_the_log_is_compared_within_a_round():
    result = cost.Result()
    for case in result.cases.values():
        for side, rate in ((cost.ON, 96.0), (cost.OFF, 100.0)):
            case.sides[side].bursts = [Burst(rate, 1.0, 1.0, 0, 100.0, 0.0)]
            case.sides[side].p99 = [1.3 if side == cost.ON else 1.0]
    judged = verdicts(cost, result)
    assert judged["ratio"]
    assert judged["more with it"] is False


def killed(got: Lake, answered: list[Answered]) -> dict[str, bool | None]:
    result = kills.Result(kills={kills.RUNTIME: 50, kills.SHIPPER: 25, kills.BOTH: 25}, left=0)
    kills.judge(result, answered, 3, got)
    return verdicts(kills, result)


def test_only_what_was_answered_just_before_a_kill_may_be_lost():
    young, old, safe = Answered("k-0", 0.15), Answered("k-1", 0.25), Answered("k-2", None)
    name = "lost, older than a flush interval at the kill"
    assert killed(Lake({"k-1": 1, "k-2": 1}, rows=2), [young, old, safe])[name]
    assert killed(Lake({"k-0": 1, "k-2": 1}, rows=2), [young, old, safe])[name] is False
    assert killed(Lake({"k-0": 1, "k-1": 1}, rows=2), [young, old, safe])[name] is False


def test_rows_that_come_twice_or_from_nowhere_are_found():
    everything = [Answered("k-0", 1.0)]
    assert killed(Lake({"k-0": 2}, rows=2), everything)["doubled at the sink"] is False
    assert killed(Lake({"k-0": 1, "k-7": 1}, rows=2), everything)["at the sink, never asked"] is False
    assert killed(Lake({"k-0": 1}, rows=1, unreadable=["a"]), everything)["unreadable files"] is False
    assert all(killed(Lake({"k-0": 1}, rows=1), everything).values())


def test_a_balance_must_come_out_even():
    result = stall.Result(counts=Counts(100, 95, {"disk_full": 5, "disk_bound": 20}), arrived=75, delivered=75)
    name = "written, neither at the sink nor told as dropped"
    assert verdicts(stall, result)[name]
    result.arrived = 74
    assert verdicts(stall, result)[name] is False
    assert verdicts(stall, result)["at the sink, not told as delivered"] is False


def test_a_conversion_is_judged_without_its_start():
    result = convert.Result(idle=[Cost(1.0, 0.5, 50.0)], known=0.93)
    for arm in result.arms.values():
        arm.rows, arm.parquet, arm.costs = 10_000, 1_400_000, [Cost(1.0, 1.0, 200.0)]
    assert all(verdicts(convert, result).values())
    result.idle = [Cost(1.0, 0.4, 50.0)]
    assert verdicts(convert, result)["to Parquet, rows per second of CPU time"] is False


def test_a_lake_tells_what_is_doubled_and_what_cannot_be_read(tmp_path: Path):
    folder = tmp_path / "predictions" / "hour=1"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        row = "SELECT 'p' AS prediction_id, 'r' AS request_id"
        with duckdb.connect() as database:
            database.execute(f"COPY ({row}) TO '{folder / name}.parquet' (FORMAT parquet)")
    (folder / "c.parquet").write_bytes(b"PAR1")
    got = lake.read(tmp_path)
    assert (got.rows, got.doubled, got.requests, got.files) == (2, 1, {"r": 2}, 3)
    assert len(got.unreadable) == 1
    assert lake.read(tmp_path / "nowhere") == Lake()


def test_many_rows_are_made_of_few_under_ids_of_their_own(tmp_path: Path):
    made = [orjson.dumps({"prediction_id": "x", "score": score}) for score in (0.25, 0.5)]
    write_segments(tmp_path / "log", multiplied(made, 2500, entities=10), most=100_000)
    found = [orjson.loads(line) for piece in rows_of(tmp_path / "log") for line in piece.splitlines()]
    assert len({row["prediction_id"] for row in found}) == len(found) == 2500
    assert {row["score"] for row in found} == {0.25, 0.5}
    assert found[1]["time"] == "2026-11-01T00:00:00.020000Z"
    assert len(list((tmp_path / "log").iterdir())) > 1


def test_a_command_costs_its_time_and_its_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(places, "_logs", tmp_path)
    code = "import time; x = bytearray(50_000_000); x[::4096] = b'1' * len(x[::4096]); time.sleep(0.2)"
    spent = measured("big", [sys.executable, "-c", code], [min(places.os.sched_getaffinity(0))])
    assert spent.seconds > 0.2
    assert 0 < spent.cpu < 5
    assert 45 < spent.peak < 200


def test_a_command_that_fails_says_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(places, "_logs", tmp_path)
    with pytest.raises(RuntimeError, match="ended with 3:\nno such log"):
        measured("short", ["bash", "-c", "echo no such log; exit 3"], [min(places.os.sched_getaffinity(0))])
