import errno
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.log.files import LogFiles, log_files
from turnout_runtime.log.read import rows
from turnout_runtime.log.writer import LogWriter


def _line(number: int, size: int = 100) -> bytes:
    head = b'{"n":%d,"pad":"' % number
    return head + b"x" * (size - len(head) - 3) + b'"}\n'


def _numbers(directory: Path) -> list[int]:
    return [json.loads(line)["n"] for line in b"".join(rows(directory)).splitlines()]


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def _written(directory: Path, count: int, max_bytes: int, max_files: int, size: int = 100) -> LogWriter:
    writer = LogWriter(LogFiles(directory, max_bytes, max_files))
    for number in range(count):
        writer.put(_line(number, size))
    writer.start()
    assert writer.close(5)
    return writer


def test_all_rows_come_back_in_order_over_many_files(tmp_path: Path) -> None:
    writer = _written(tmp_path, 200, 1000, 50)
    assert _numbers(tmp_path) == list(range(200))
    assert (writer.written, sum(writer.dropped.values())) == (200, 0)
    assert [path.stat().st_size for path in log_files(tmp_path)] == [1000] * 20


@given(st.integers(1, 60), st.integers(100, 1000), st.integers(1, 4), st.integers(30, 400))
@settings(max_examples=30, deadline=None)
def test_the_log_never_outgrows_its_bounds(count: int, max_bytes: int, max_files: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        directory = Path(tmp)
        writer = _written(directory, count, max_bytes, max_files, size)
        assert len(log_files(directory)) <= max_files
        assert _bytes(directory) <= max_bytes * max_files
        kept = _numbers(directory)
        assert kept == list(range(count))[count - len(kept) :]
        assert writer.written + writer.dropped["record_too_large"] == count
        assert (kept == []) == (size > max_bytes)


def test_what_an_earlier_process_left_counts_and_goes_first(tmp_path: Path) -> None:
    old = [tmp_path / f"predictions-20130701T000000{n:03d}Z-1-{n}.jsonl" for n in (1, 2, 10)]
    for path in old:
        path.write_bytes(_line(9))
    (tmp_path / "notes.txt").write_text("not ours")
    assert log_files(tmp_path) == old
    _written(tmp_path, 1, 1000, 3)
    assert log_files(tmp_path)[:2] == old[1:]
    assert len(log_files(tmp_path)) == 3
    assert (tmp_path / "notes.txt").exists()


def test_old_files_larger_than_now_allowed_go_too(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"predictions-20130701T000000{n:03d}Z-1-1.jsonl").write_bytes(_line(n, 900))
    _written(tmp_path, 1, 500, 4)
    assert _numbers(tmp_path) == [2, 0]


def test_files_are_ordered_by_start_and_then_by_number(tmp_path: Path) -> None:
    names = [f"predictions-20130701T000000{s:03d}Z-7-{n}.jsonl" for s in (0, 1) for n in (1, 2, 9, 10, 11)]
    for name in reversed(names):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in log_files(tmp_path)] == names


def test_a_row_that_is_half_written_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "predictions-20130701T000000000Z-1-1.jsonl").write_bytes(_line(1) + _line(2)[:50])
    (tmp_path / "predictions-20130701T000000000Z-1-2.jsonl").write_bytes(_line(3))
    assert _numbers(tmp_path) == [1, 3]


def test_rows_longer_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout_runtime.log.read._BLOCK", 64)
    _written(tmp_path, 20, 10_000, 2)
    assert _numbers(tmp_path) == list(range(20))


def _until(condition: Callable[[], bool]) -> float:
    """Seconds until the condition holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 10
        time.sleep(0.005)
    return time.monotonic() - started


def test_records_reach_the_file_within_200_ms(tmp_path: Path) -> None:
    writer = LogWriter(LogFiles(tmp_path, 1000, 2))
    writer.start()
    waits = []
    for number in range(3):  # the best of three, since the machine may be busy
        writer.put(_line(number))
        waits.append(_until(lambda count=number + 1: len(_numbers(tmp_path)) == count))  # type: ignore[misc]
    assert min(waits) < 0.2
    writer.close(5)


class SmallDisk(LogFiles):
    """A disk with `space` bytes left, which writes what fits and then fails, as a real one does."""

    space = 250

    def _write(self, file: int, chunk: bytes) -> None:
        os.write(file, chunk[: self.space])
        if len(chunk) > self.space:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.space -= len(chunk)


def test_a_full_disk_costs_records_but_no_half_ones_and_ends(tmp_path: Path) -> None:
    files = SmallDisk(tmp_path, 10_000, 2)
    writer = LogWriter(files)
    writer.put(_line(1))
    writer.start()
    _until(lambda: writer.written == 1)
    for number in (2, 3, 4):
        writer.put(_line(number))
    _until(lambda: writer.dropped["disk_full"] == 3)
    assert (writer.written, writer.dropped["disk_full"]) == (1, 3)
    files.space = 1000
    writer.put(_line(5))
    assert writer.close(5)
    assert _numbers(tmp_path) == [1, 5]
    assert b"".join(path.read_bytes() for path in log_files(tmp_path)) == _line(1) + _line(5)


def test_a_directory_that_goes_away_is_survived(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    directory.mkdir()
    writer = LogWriter(LogFiles(directory, 1000, 2))
    directory.rmdir()
    writer.start()
    writer.put(_line(1))
    _until(lambda: writer.dropped["io_error"] == 1)
    directory.mkdir()
    writer.put(_line(2))
    assert writer.close(5)
    assert (_numbers(directory), writer.dropped["io_error"]) == ([2], 1)


def test_the_buffer_is_bounded_and_freed_by_writing(tmp_path: Path) -> None:
    writer = LogWriter(LogFiles(tmp_path, 10_000, 2), buffer_bytes=1000)
    for number in range(15):
        writer.put(_line(number))
    assert writer.dropped["buffer_full"] == 5
    writer.start()
    _until(lambda: writer.written == 10)
    for number in range(10, 20):
        writer.put(_line(number))
    assert writer.close(5)
    assert _numbers(tmp_path) == list(range(20))
    assert writer.dropped["buffer_full"] == 5


def test_closing_does_not_wait_for_a_stuck_volume(tmp_path: Path) -> None:
    class Stuck(LogFiles):
        def append(self, chunk: bytes) -> None:
            time.sleep(0.5)

    writer = LogWriter(Stuck(tmp_path, 1000, 2))
    writer.put(_line(1))
    writer.start()
    started = time.monotonic()
    assert not writer.close(0.1)
    assert time.monotonic() - started < 0.4
