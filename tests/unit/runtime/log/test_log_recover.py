import fcntl
import os
from pathlib import Path

import pytest
from tests.unit.runtime.log.lines import block, numbers

from turnout_runtime.log.recover import Recovered, recover

NAME = "predictions-20130701T000000000Z-7-1.jsonl"


def _left(directory: Path, content: bytes, name: str = NAME) -> Path:
    (directory / f"{name}.open").write_bytes(content)
    return directory / name


def test_a_torn_tail_is_cut_and_the_segment_sealed(tmp_path: Path) -> None:
    whole = block(1, 2) + block(3)
    sealed = _left(tmp_path, whole + block(4)[:-1])
    assert recover(tmp_path) == [Recovered(sealed, 3, len(block(4)) - 1, 0)]
    assert list(tmp_path.iterdir()) == [sealed]
    assert sealed.read_bytes() == whole
    assert recover(tmp_path) == []


def test_damage_inside_is_counted_and_kept_out_of_what_is_read(tmp_path: Path) -> None:
    rotten = block(1, 2).replace(b"x", b"y", 1)
    sealed = _left(tmp_path, rotten + block(3))
    assert recover(tmp_path) == [Recovered(sealed, 1, 0, len(rotten))]
    assert numbers(tmp_path) == [3]


@pytest.mark.parametrize("content", [b"", block(1)[:-1], b"\0" * 4096])
def test_a_segment_without_a_whole_block_goes(content: bytes, tmp_path: Path) -> None:
    _left(tmp_path, content)
    assert recover(tmp_path) == [Recovered(None, 0, len(content), 0)]
    assert list(tmp_path.iterdir()) == []


def test_segments_of_living_writers_and_other_files_are_left_alone(tmp_path: Path) -> None:
    _left(tmp_path, block(1))
    (tmp_path / "notes.open").write_text("not ours")
    with (tmp_path / f"{NAME}.open").open("rb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        assert recover(tmp_path) == []
    assert len(recover(tmp_path)) == 1
    assert (tmp_path / "notes.open").exists()


def test_feedback_is_recovered_too_and_all_in_the_order_of_writing(tmp_path: Path) -> None:
    names = [NAME, NAME.replace("7-1", "7-2"), "feedback-20130701T000000001Z-7-1.jsonl"]
    for name in reversed(names):
        _left(tmp_path, block(1), name)
    assert [each.path for each in recover(tmp_path)] == [tmp_path / name for name in names]


def test_one_that_refuses_does_not_keep_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _left(tmp_path, block(1))
    other = _left(tmp_path, block(2), NAME.replace("7-1", "7-2"))
    rename = Path.rename

    def refusing(path: Path, target: Path) -> Path:
        if path.name.startswith(NAME):
            raise OSError("read-only")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    assert [each.path for each in recover(tmp_path)] == [other]
    assert os.listdir(tmp_path).count(f"{NAME}.open") == 1
