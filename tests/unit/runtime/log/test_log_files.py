import errno
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.log.lines import block, line, numbers, occupied, write

from turnout_runtime.log.files import DirectoryFull, LogFiles
from turnout_runtime.log.read import log_files
from turnout_runtime.log.recover import recover
from turnout_runtime.log.segments import HEADER


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_segment_is_locked_while_it_is_written_and_then_sealed(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, 1000, 2)
    files.append([line(1), line(2)])
    (name,) = _names(tmp_path)
    assert name.endswith("-1.jsonl.open")
    assert recover(tmp_path) == []
    assert (tmp_path / name).read_bytes() == block(1, 2)
    files.seal()
    files.seal()
    assert _names(tmp_path) == [name.removesuffix(".open")]


def test_segments_are_sealed_by_age_also_idle_ones_and_empty_ones_never_exist(tmp_path: Path) -> None:
    clock = Clock()
    files = LogFiles(tmp_path, 1000, 2, max_age=60, clock=clock)
    files.seal_old()
    assert _names(tmp_path) == []
    files.append([line(1)])
    clock.now += 59
    files.seal_old()
    assert _names(tmp_path)[0].endswith(".open")
    clock.now += 1
    files.seal_old()
    assert [name[-8:] for name in _names(tmp_path)] == ["-1.jsonl"]


@given(st.integers(1, 60), st.integers(133, 1000), st.integers(1, 4), st.integers(30, 400))
@settings(max_examples=30, deadline=None)
def test_the_log_never_outgrows_its_bounds(count: int, max_bytes: int, max_files: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        directory = Path(tmp)
        writer = write(LogFiles(directory, max_bytes, max_files), range(count), size)
        assert all(path.stat().st_size <= max_bytes for path in log_files(directory))
        assert occupied(directory) <= max_bytes * max_files
        kept = numbers(directory)
        assert kept == list(range(count))[count - len(kept) :]
        assert writer.written + writer.dropped["record_too_large"] == count
        assert writer.written - writer.rotated == len(kept)
        assert (kept == []) == (size > max_bytes - HEADER)


def test_what_an_earlier_process_left_counts_and_goes_first(tmp_path: Path) -> None:
    old = [tmp_path / f"predictions-20130701T000000{n:03d}Z-1-{n}.jsonl" for n in (1, 2, 10)]
    for path in old:
        path.write_bytes(block(8, 9, size=450))
    (tmp_path / "notes.txt").write_text("not ours")
    writer = write(LogFiles(tmp_path, 1000, 3), [1])
    assert log_files(tmp_path)[:2] == old[1:]
    assert len(log_files(tmp_path)) == 3
    assert (tmp_path / "notes.txt").exists()
    assert writer.rotated == 2


def test_many_small_segments_are_bounded_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout_runtime.log.files._MOST", 5)
    files = LogFiles(tmp_path, 10_000, 4)
    for number in range(8):
        files.append([line(number)])
        files.seal()
    assert numbers(tmp_path) == [3, 4, 5, 6, 7]
    assert files.pruned == 3


def test_the_oldest_is_kept_where_that_is_wanted_until_there_is_room(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, 300, 2, keep_oldest=True)
    for number in range(4):
        files.append([line(number)])
    with pytest.raises(DirectoryFull):
        files.append([line(4)])
    assert numbers(tmp_path) == [0, 1, 2, 3]
    log_files(tmp_path)[0].unlink()  # it was shipped
    files.append([line(5)])
    assert numbers(tmp_path) == [2, 3, 5]


def test_others_open_segments_are_never_pruned(tmp_path: Path) -> None:
    theirs, ours = LogFiles(tmp_path, 300, 1), LogFiles(tmp_path, 300, 1, kind="feedback")
    theirs.append([line(1), line(2)])
    ours.append([line(3)])
    theirs.append([line(4)])
    assert (ours.pruned, theirs.pruned) == (0, 2)
    assert numbers(tmp_path) == [4]


def test_what_others_will_write_has_its_place(tmp_path: Path) -> None:
    """Several processes that fill their segments at the same time stay in bounds together."""
    writers = [LogFiles(tmp_path, 1_000, 4, kind=kind) for kind in ("predictions", "feedback")]
    most = 0
    for number in range(200):
        writers[number % 2].append([b"x" * 90 + b"\n"])
        most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert 3_000 < most <= 4_000


def test_the_oldest_makes_room_whichever_process_wrote_it_also_when_the_clock_goes_back(tmp_path: Path) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    seconds = iter([0, 0, *range(1, 9), -3600, -3600, 9, 10])
    writers = [LogFiles(tmp_path, 150, 5, now=lambda: noon + timedelta(seconds=next(seconds))) for _ in range(2)]
    for number in range(12):
        writers[number % 2].append([line(number)])
        writers[number % 2].seal()
        kept = sorted(numbers(tmp_path))
        assert kept == list(range(number + 1))[-6:]


def test_a_volume_that_fails_when_a_segment_is_closed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server of files does whose quota is used up."""
    files, close = LogFiles(tmp_path, 150, 9), os.close

    def refuse(file: int) -> None:
        close(file)
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    files.append([line(1)])
    with monkeypatch.context() as patched:
        patched.setattr(os, "close", refuse)
        files.seal()
    files.append([line(2)])
    assert numbers(tmp_path) == [1, 2]


def test_a_deleted_segment_is_replaced(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, 1000, 2)
    files.append([line(1)])
    next(tmp_path.iterdir()).unlink()
    files.append([line(2)])
    assert numbers(tmp_path) == [2]


class SmallDisk(LogFiles):
    """A disk with `space` bytes left, which writes what fits and then fails, as a real one does."""

    space = 250

    def _write(self, file: int, head: bytes, payload: bytes | memoryview) -> None:
        block = head + bytes(payload)
        os.write(file, block[: self.space])
        if len(block) > self.space:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.space -= len(block)


def test_what_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path) -> None:
    files = SmallDisk(tmp_path, 10_000, 2)
    files.append([line(1)])
    with pytest.raises(OSError, match="No space"):
        files.append([line(2), line(3)])
    files.space = 1000
    files.append([line(4)])
    files.seal()
    assert log_files(tmp_path)[0].read_bytes() == block(1) + block(4)


def test_with_sync_each_block_and_each_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append("data"))
    monkeypatch.setattr(os, "fsync", lambda file: synced.append("names"))
    files = LogFiles(tmp_path, 1000, 2, sync=True)
    files.append([line(1)])
    files.append([line(2)])
    files.seal()
    assert synced == ["names", "data", "data", "names"]
