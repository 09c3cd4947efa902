"""Lanes over a real directory, with sinks of the test's own."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.ship.segments import row, segment, write

from turnout_runtime.log.files import LogFiles
from turnout_runtime.ship import lane
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.backoff import Backoff
from turnout_runtime.ship.held import held
from turnout_runtime.ship.lanes import RowLane
from turnout_runtime.ship.metrics import ShipMetrics
from turnout_runtime.ship.plan import Sinks
from turnout_runtime.ship.progress import ProgressFiles
from turnout_runtime.ship.sink import Position, SinkFailed


class Stream:
    """Takes rows; fails so many times first, and refuses some for ever."""

    def __init__(self, failures: int = 0, refused: bytes = b"nothing") -> None:
        self.rows: list[bytes] = []
        self.failures, self._refused = failures, refused

    async def send(self, rows: Sequence[bytes], position: Position) -> int:
        if self.failures:
            self.failures -= 1
            raise SinkFailed("unreachable", "sink test: not now")
        taken = [row for row in rows if self._refused not in row]
        self.rows += taken
        return len(taken)

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "_HURRY", 0.0)
    monkeypatch.setattr(lane, "_MOMENT", 0.0)


def lanes_of(log: Path, **streams: Stream) -> tuple[Backlog, dict[str, RowLane]]:
    (log / "ship").mkdir(exist_ok=True)
    backlog = Backlog(log, Sinks((), tuple(streams)), ProgressFiles(log / "ship"))
    backlog.scan()
    return backlog, {name: RowLane(name, backlog, Backoff(first=0.0), sink) for name, sink in streams.items()}


def left(log: Path) -> list[Path]:
    return list(log.glob("*.jsonl"))


async def drained(lanes: dict[str, RowLane], tries: int | None = None) -> list[bool]:
    for one in lanes.values():
        one.end(tries)
    return await asyncio.gather(*(one.run() for one in lanes.values()))


def metric(backlog: Backlog, lanes: dict[str, Any], name: str, sink: str, now: float = 0.0) -> float:
    families = ShipMetrics(backlog, {key: one.counts for key, one in lanes.items()}, lambda: now).collect()
    return next(s.value for f in families for s in f.samples if s.name == name and s.labels.get("sink") == sink)


async def test_a_sink_that_fails_is_tried_again_and_the_other_does_not_wait(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path, number, [row(number * 10 + n) for n in range(4)])
    down, well = Stream(failures=10), Stream()
    backlog, lanes = lanes_of(tmp_path, down=down, well=well)
    assert await drained(lanes, tries=3) == [False, True]
    assert len(well.rows) == 8
    assert metric(backlog, lanes, "turnout_log_sink_up", "down") == 0
    assert metric(backlog, lanes, "turnout_log_pending_bytes", "down") > 0
    assert metric(backlog, lanes, "turnout_log_lag_seconds", "down", 1_795_352_460.0) == pytest.approx(60, abs=0.1)
    assert metric(backlog, lanes, "turnout_log_lag_seconds", "well", 1_795_352_460.0) == 0
    assert lanes["down"].counts.failures == {"unreachable": 3}
    assert await drained(lanes) == [True, True]
    assert down.rows == well.rows
    assert metric(backlog, lanes, "turnout_log_sink_up", "down") == 1
    assert not left(tmp_path)
    backlog.tidy()
    assert ProgressFiles(tmp_path / "ship").load() == {}


async def test_a_stream_follows_a_segment_that_is_written_and_goes_on_where_it_was(tmp_path: Path) -> None:
    writer = LogFiles(tmp_path, 10_000, 4)
    writer.append([row(1), row(2)])
    first, second = Stream(), Stream()
    backlog, lanes = lanes_of(tmp_path, console=first)
    await drained(lanes)
    assert first.rows == [row(1), row(2)]
    backlog.save()
    writer.append([row(3)])
    writer.seal()
    _, lanes = lanes_of(tmp_path, console=second)
    await drained(lanes)
    assert second.rows == [row(3)]
    assert not left(tmp_path)


async def test_a_row_that_a_sink_will_never_take_is_counted_and_not_sent_again(tmp_path: Path) -> None:
    write(tmp_path, 1, [row(number) for number in range(5)])
    backlog, lanes = lanes_of(tmp_path, console=(sink := Stream(refused=b'"p3"')))
    await drained(lanes)
    assert len(sink.rows) == 4
    assert metric(backlog, lanes, "turnout_log_refused_rows_total", "console") == 1


async def test_damage_at_the_end_of_a_segment_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, 1, [row(number) for number in range(6)])
    path.write_bytes(path.read_bytes()[:-5])
    _, lanes = lanes_of(tmp_path, console=(sink := Stream()))
    assert await drained(lanes) == [True]
    assert sink.rows == [row(0), row(1), row(2)]
    assert not left(tmp_path)


async def test_a_segment_that_was_pruned_meanwhile_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path, 1, [row(1)])
    write(tmp_path, 2, [row(2)])
    backlog, lanes = lanes_of(tmp_path, console=(sink := Stream()))
    (tmp_path / segment(1).name).unlink()
    backlog.scan()
    assert await drained(lanes) == [True]
    assert sink.rows == [row(2)]


async def test_a_segment_that_is_sealed_while_somebody_looks_has_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its progress would be forgotten, and all its rows sent again."""
    writer = LogFiles(tmp_path, 10_000, 9)
    writer.append([row(1)])
    backlog, lanes = lanes_of(tmp_path, console=(sink := Stream()))
    one = lanes["console"]
    assert await one.deliver()
    with os.scandir(tmp_path) as entries:
        listing = list(entries)
    writer.seal()
    monkeypatch.setattr(os, "scandir", lambda _: nullcontext(listing))
    backlog.scan()
    backlog.tidy()
    monkeypatch.undo()
    backlog.scan()
    assert await drained(lanes) == [True]
    assert sink.rows == [row(1)]


class Looking(lane.Lane):
    async def deliver(self) -> bool:
        os.stat(self.backlog.directory)
        return False


async def test_a_directory_that_is_away_for_a_while_ends_no_lane(tmp_path: Path) -> None:
    backlog, _ = lanes_of(tmp_path)
    one, away = Looking("lake", backlog, Backoff(first=0.0)), tmp_path.with_name("away")
    shutil.move(tmp_path, away)
    one.end(tries=3)
    assert not await one.run()
    assert one.counts.error == "sink lake: the log's directory: No such file or directory"
    shutil.move(away, tmp_path)
    assert await one.run()


def test_the_writer_prunes_no_segment_that_is_on_its_way(tmp_path: Path) -> None:
    writer = LogFiles(tmp_path, 400, 2)
    for number in range(3):
        writer.append([row(number)])
        writer.seal()
    kept = min(tmp_path.glob("*.jsonl"))
    with held(kept):
        for number in range(3, 9):
            writer.append([row(number)])
        assert kept.exists()
    before = writer.pruned
    for number in range(9, 12):
        writer.append([row(number)])
    assert not kept.exists()
    assert writer.pruned > before
    with pytest.raises(FileNotFoundError), held(kept):
        pass


def test_what_was_delivered_is_remembered_and_a_broken_note_is_none(tmp_path: Path) -> None:
    backlog, _ = lanes_of(tmp_path, console=Stream())
    backlog.got_rows(segment(1).stem, "console", 17, save=True)
    backlog.reject(segment(2), "corrupt", unfit=True)
    notes = ProgressFiles(tmp_path / "ship")
    assert notes.load() == backlog.progress
    (tmp_path / "ship" / f"{segment(1).stem}.json").write_bytes(b'{"files"')
    assert set(notes.load()) == {segment(2).stem}
