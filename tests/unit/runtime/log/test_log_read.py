from pathlib import Path

import pytest
from tests.unit.runtime.log.lines import block, line, numbers

from turnout_runtime.log.read import blocks_of, log_files, rows

NAME = "predictions-20130701T000000000Z-1-1.jsonl"


def test_files_are_ordered_by_start_and_then_by_number_open_or_not(tmp_path: Path) -> None:
    names = [f"predictions-20130701T000000{s:03d}Z-7-{n}.jsonl" for s in (0, 1) for n in (1, 2, 9, 10)]
    names[-1] += ".open"
    for name in (*reversed(names), "feedback-20130701T000000000Z-7-1.jsonl"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in log_files(tmp_path)] == names
    assert [path.name for path in log_files(tmp_path, "feedback")] == ["feedback-20130701T000000000Z-7-1.jsonl"]


def test_a_block_that_is_half_written_is_not_read_yet(tmp_path: Path) -> None:
    growing = tmp_path / f"{NAME}.open"
    growing.write_bytes(block(1, 2) + block(3)[:-1])
    (first,) = blocks_of(growing)
    assert first.rows == 2
    growing.write_bytes(block(1, 2) + block(3))
    growing.rename(tmp_path / NAME)  # it is sealed while it is followed
    assert [each.payload for each in blocks_of(growing, first.end)] == [line(3)]


def test_plain_lines_of_older_runtimes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout_runtime.log.read._PIECE", 64)  # less than a line
    path = tmp_path / NAME
    path.write_bytes(line(1) + line(2) + line(3)[:50])
    (tmp_path / NAME.replace("1-1", "1-2")).write_bytes(block(4))
    assert numbers(tmp_path) == [1, 2, 4]
    first, *rest = blocks_of(path)
    assert [each.payload for each in blocks_of(path, first.end)] == [each.payload for each in rest] == [line(2)]


def test_a_file_that_is_gone_is_empty(tmp_path: Path) -> None:
    assert list(blocks_of(tmp_path / NAME)) == []
    assert list(rows(tmp_path)) == []
