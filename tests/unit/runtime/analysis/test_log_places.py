"""Where a log may lie: segments of pods, while they are written and after, and the roots of sinks."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.analysis.logs import NAME, feedback, lines, record, segment, write_hive

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.find import find
from turnout_runtime.analysis.follow import Follower
from turnout_runtime.analysis.places import Range
from turnout_runtime.analysis.query import Query, querying
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import LogInvalid
from turnout_runtime.evaluation.records import records

OPEN = NAME + ".open"


def ids(source: LogSource, view: str = "predictions") -> list[str]:
    with database() as connection:
        source.view(connection)
        source.feedback(connection)
        key = "feedback_id" if view == "feedback" else "prediction_id"
        return [name for (name,) in connection.execute(f"SELECT {key} FROM {view} ORDER BY 1").fetchall()]


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 1, hour, minute, tzinfo=UTC)


def test_blocks_are_no_lines_that_cannot_be_read(tmp_path: Path) -> None:
    segment(tmp_path, [[record("p1"), record("p2")], [record("p3")]])
    source = LogSource([tmp_path])
    with database() as connection:
        source.view(connection)
        assert source.unreadable(connection) == 0
    assert ids(source) == ["p1", "p2", "p3"]
    assert [each["prediction_id"] for each in records([tmp_path])] == ["p1", "p2", "p3"]
    assert [each["prediction_id"] for each in find(source, "prediction_id", "p3")] == ["p3"]


def test_a_block_that_is_being_written_is_left_out_whole(tmp_path: Path) -> None:
    whole = segment(tmp_path, [[record("p1")]], OPEN).read_bytes()
    torn = segment(tmp_path, [[record("p2"), record("p3")]], OPEN).read_bytes()
    (tmp_path / OPEN).write_bytes(whole + torn[:-10])  # p2 is a whole line, and yet no record
    assert ids(LogSource([tmp_path])) == ["p1"]
    assert [each["prediction_id"] for each in records([tmp_path])] == ["p1"]


def test_a_damaged_block_costs_itself_and_is_told(tmp_path: Path) -> None:
    path = segment(tmp_path, [[record("p1")], [record("p2")], [record("p3")]])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    source = LogSource([tmp_path])
    assert ids(source) == ["p1", "p3"]
    assert source.damaged == len(content) // 3


def test_a_segment_counts_once_while_it_is_sealed(tmp_path: Path) -> None:
    path = segment(tmp_path, [[record("p1")]], OPEN)
    source = LogSource([tmp_path])
    path.rename(tmp_path / NAME)
    assert ids(source) == ["p1"]
    segment(tmp_path, [[record("p1")]], OPEN)
    assert ids(LogSource([tmp_path])) == ["p1"]


def test_a_tail_follows_a_segment_past_its_sealing(tmp_path: Path) -> None:
    path = segment(tmp_path, [[record("p1"), record("p2")], [record("p3")]], OPEN)
    follower = Follower(LogSource([tmp_path]), 1)
    assert follower.new() == lines([record("p3")]).splitlines()
    segment(tmp_path, [[record("p1"), record("p2")], [record("p3")], [record("p4")]], OPEN)
    path.rename(tmp_path / NAME)
    assert follower.new() == lines([record("p4")]).splitlines()
    assert follower.new() == []


def test_a_sinks_root_has_both_and_only_the_hours_that_count(tmp_path: Path) -> None:
    for hour in (12, 13, 14):
        row = {"time": f"2026-01-01T{hour}:30:00.000000Z"}
        write_hive(tmp_path, "predictions", f"2026-01-01T{hour}", [record(f"p{hour}", **row)])
        write_hive(tmp_path, "feedback", f"2026-01-01T{hour}", [feedback(f"f{hour}", minute=60 * (hour - 12) + 30)])
    assert (ids(LogSource([tmp_path])), ids(LogSource([tmp_path]), "feedback")) == (
        ["p12", "p13", "p14"], ["f12", "f13", "f14"])  # fmt: skip
    (tmp_path / "predictions/namespace=demo/objective=late/hour=2026-01-01T14/pod-1.parquet").write_text("not read")
    during = Range(at(13), at(14))
    assert ids(LogSource([tmp_path], during)) == ["p13"]
    assert ids(LogSource([tmp_path], Range(at(13), at(13, 20)))) == []
    assert ids(LogSource([tmp_path], during), "feedback") == ["f13", "f14"]  # what came of it comes later
    assert [each["prediction_id"] for each in records([tmp_path], during)] == ["p13"]


def test_files_of_others_are_no_log(tmp_path: Path) -> None:
    segment(tmp_path, [[record("p1")]])
    for name in ("rejected/" + NAME, "ship/" + NAME, ".new/" + NAME, "_temporary/x.parquet", ".x.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("garbage")
    assert ids(LogSource([tmp_path])) == ["p1"]


def test_feedback_is_a_view_of_its_own_with_words_and_numbers(tmp_path: Path) -> None:
    rows = [
        feedback("f1", label=1, prediction_id="p1"),
        feedback("f2", label="late", reward=2),
        feedback("f3", label=True),
    ]
    segment(tmp_path, [rows], NAME.replace("predictions", "feedback"))
    with querying(LogSource([tmp_path])) as connection:
        found: list[Any] = list(Query(connection, "SELECT label, reward FROM feedback ORDER BY feedback_id").texts())
    assert found == [[("1", None), ("late", "2.0"), ("true", None)]]
    assert ids(LogSource([tmp_path])) == []


def test_an_object_store_that_nobody_reaches(tmp_path: Path) -> None:
    with pytest.raises(LogInvalid, match="nowhere: there is no such folder"):
        LogSource([tmp_path, "nowhere"])
