import os
import time
from collections.abc import Callable
from pathlib import Path

from tests.unit.runtime.log.lines import block, line, numbers, write
from tests.unit.runtime.log.test_log_files import SmallDisk

from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.read import log_files
from turnout_runtime.log.writer import LogWriter


def _until(condition: Callable[[], bool]) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 10
        time.sleep(0.005)


def test_all_rows_come_back_in_order_over_many_files(tmp_path: Path) -> None:
    writer = write(LogFiles(tmp_path, 1033, 50), range(200))
    assert numbers(tmp_path) == list(range(200))
    assert (writer.written, sum(writer.dropped.values()), writer.lag, writer.buffered_bytes) == (200, 0, 0, 0)
    assert len(log_files(tmp_path)) >= 20
    assert writer.written_bytes == sum(path.stat().st_size for path in log_files(tmp_path))
    assert not any(path.name.endswith(".open") for path in tmp_path.iterdir())


def test_records_are_written_soon_without_being_asked(tmp_path: Path) -> None:
    writer = LogWriter(LogFiles(tmp_path, 1000, 2), flush=0.002)
    writer.start()
    for number in range(3):
        writer.put([line(number)])
        _until(lambda count=number + 1: len(numbers(tmp_path)) == count)  # type: ignore[misc]
    assert writer.close(5)


def test_with_no_interval_a_record_is_written_when_put_returns(tmp_path: Path) -> None:
    writer = LogWriter(LogFiles(tmp_path, 1000, 2), flush=0)
    for number in range(3):
        writer.put([line(number)])
        assert numbers(tmp_path) == list(range(number + 1))
    writer.start()
    assert writer.close(5)
    assert writer.written == 3


def test_a_buffer_that_fills_is_written_before_its_time(tmp_path: Path) -> None:
    writer = LogWriter(LogFiles(tmp_path, 10_000, 2), buffer_bytes=1000, flush=60)
    writer.start()
    for number in range(8):
        writer.put([line(number)])
    _until(lambda: writer.written >= 6)
    assert writer.close(5)
    assert writer.written == 8


def test_what_a_dead_process_left_is_recovered_at_the_start(tmp_path: Path) -> None:
    left = tmp_path / "predictions-20130701T000000000Z-1-1.jsonl.open"
    left.write_bytes(block(1, 2).replace(b"x", b"y", 1) + block(3) + block(4)[:-9])
    writer = write(LogFiles(tmp_path, 1000, 2), [5])
    assert numbers(tmp_path) == [3, 5]
    assert (writer.recovered, writer.damaged_bytes) == (1, len(block(1, 2)))


def test_segments_that_somebody_was_to_get_are_lost_when_they_make_room(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, 300, 2)
    writer = LogWriter(files, loss=True)
    for number in range(8):
        writer.put([line(number)])
    writer.start()
    assert writer.close(5)
    assert numbers(tmp_path) == [4, 5, 6, 7]
    assert (writer.written, writer.dropped["disk_bound"], writer.rotated) == (8, 4, 0)


def test_new_rows_are_refused_where_the_oldest_count_more(tmp_path: Path) -> None:
    writer = write(LogFiles(tmp_path, 300, 2, keep_oldest=True), range(8))
    assert numbers(tmp_path) == [0, 1, 2, 3]
    assert (writer.written, writer.dropped["disk_bound"], writer.rotated) == (4, 4, 0)


def test_segments_of_others_are_sealed_in_time_and_counted(tmp_path: Path) -> None:
    writer, feedback = LogWriter(LogFiles(tmp_path, 300, 1)), LogFiles(tmp_path, 300, 1, kind="feedback")
    writer.attend(feedback)
    feedback.append([line(1)])
    writer.put([line(2)])
    feedback.pruned = 7
    writer.start()
    assert writer.close(5)
    assert len(log_files(tmp_path, "feedback")) == 1
    assert not any(path.name.endswith(".open") for path in tmp_path.iterdir())
    assert writer.rotated == 7


def test_a_full_disk_costs_records_but_no_half_ones_and_ends(tmp_path: Path) -> None:
    files = SmallDisk(tmp_path, 10_000, 2)
    writer = LogWriter(files, flush=0.01)
    writer.put([line(1)])
    writer.start()
    _until(lambda: writer.written == 1)
    for number in (2, 3, 4):
        writer.put([line(number)])
    _until(lambda: writer.dropped["disk_full"] >= 2)
    files.space = 1000
    writer.put([line(5)])
    assert writer.close(5)
    kept = numbers(tmp_path)
    assert kept[0] == 1
    assert kept[-1] == 5
    assert writer.written == len(kept)
    assert writer.written + writer.dropped["disk_full"] == 5


def test_a_directory_that_goes_away_is_survived(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    directory.mkdir()
    writer = LogWriter(LogFiles(directory, 1000, 2), flush=0.01)
    directory.rmdir()
    writer.start()
    writer.put([line(1)])
    _until(lambda: writer.dropped["io_error"] == 1)
    directory.mkdir()
    writer.put([line(2)])
    assert writer.close(5)
    assert (numbers(directory), writer.dropped["io_error"]) == ([2], 1)


def test_the_buffer_is_bounded_and_freed_by_writing(tmp_path: Path) -> None:
    writer = LogWriter(LogFiles(tmp_path, 10_000, 2), buffer_bytes=1000, flush=0.01)
    for number in range(15):
        writer.put([line(number, 125)])
    assert (writer.dropped["buffer_full"], writer.buffered_bytes) == (7, 1000)
    assert writer.lag > 0
    writer.start()
    _until(lambda: writer.written == 8 and not writer.buffered_bytes)
    for number in range(8, 16):
        writer.put([line(number, 125)])
    assert writer.close(5)
    assert numbers(tmp_path) == list(range(16))
    assert writer.dropped["buffer_full"] == 7


def test_closing_does_not_wait_for_a_stuck_volume(tmp_path: Path) -> None:
    reader, writer_end = os.pipe()

    class Stuck(LogFiles):
        def append_block(self, payload: bytes | memoryview, rows: int) -> None:
            os.read(reader, 1)

    writer = LogWriter(Stuck(tmp_path, 1000, 2))
    writer.put([line(1)])
    writer.start()
    assert not writer.close(0.05)
    os.close(writer_end)
    assert writer.close(5)
    os.close(reader)
