"""Entities are forgotten, hours merged, logs checked: also when it ends in the middle."""

import fcntl
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.analysis.logs import NAME, feedback, record, segment, write_hive

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.analysis.upkeep.compact import Merged, compact
from turnout_runtime.analysis.upkeep.forget import forget
from turnout_runtime.analysis.upkeep.segments import nothing, without
from turnout_runtime.analysis.upkeep.verify import verify
from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.privacy import pseudonym
from turnout_runtime.log.segments import blocks, frame
from turnout_runtime.offline.place import LocalFolder

FEEDBACK = NAME.replace("predictions", "feedback")
HOUR = "2026-01-01T12"
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def ids(root: Path) -> tuple[list[str], list[str]]:
    """Of predictions and of feedback."""
    source = LogSource([root])
    with database() as connection:
        source.view(connection)
        source.feedback(connection)
        selects = ("prediction_id FROM predictions", "feedback_id FROM feedback")
        rows = [connection.execute(f"SELECT {each} ORDER BY 1").fetchall() for each in selects]
    return [name for (name,) in rows[0]], [name for (name,) in rows[1]]


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), min_size=1, max_size=12), st.booleans())
def test_a_block_without_some_of_its_lines_keeps_its_place(shape: list[tuple[int, bool]], twice: bool) -> None:
    lines = [b'{"n":%d,"x":"%s"}\n' % (n, b"y" * size) for n, (size, _) in enumerate(shape)]
    gone = {line.split(b",")[0] for line, (_, goes) in zip(lines, shape, strict=True) if goes}
    (block,) = blocks(io.BytesIO(frame(lines)))
    content, removed = without(block, lambda line: line.split(b",")[0] in gone)
    found = list(blocks(io.BytesIO(content)))
    assert (len(content), found[0].offset, found[-1].end, removed) == (block.end, 0, block.end, len(gone))
    assert [line.strip() for each in found for line in each.payload.splitlines()] == [
        line.strip() for line in lines if line.split(b",")[0] not in gone
    ]
    if twice:
        again, _ = without(found[0], lambda line: True)
        assert list(blocks(io.BytesIO(again)))[-1].end == found[0].end


@pytest.mark.parametrize("size", [*range(14, 80), 1500])
def test_blocks_of_nothing_have_any_size(size: int) -> None:
    found = list(blocks(io.BytesIO(nothing(size))))
    assert (found[-1].end, sum(each.rows for each in found)) == (size, 0)


def full_log(root: Path) -> Path:
    """Of the entity `a`, by name or hash: p1, its shadow, its feedback in both forms; all else is others'."""
    hashed = pseudonym(b"key", "a")
    segment(root / "pod", [[record("p1", entity_id="a"), record("p2", entity_id="b")], [record("p3", entity_id="a")]])
    segment(root / "pod", [[feedback("f1", prediction_id="p4"), feedback("f2", prediction_id="p2")]], FEEDBACK)
    rows = [record("p4", entity_id="a", shadow=True), record("p5", entity_id="b"), record("p6", entity_id=hashed)]
    write_hive(root, "predictions", HOUR, rows)
    write_hive(root, "predictions", HOUR, [record("p7", entity_id="a")], "only-a.parquet")
    said = [feedback("f3", entity_id="a"), feedback("f4", entity_id="b"), feedback("f5", prediction_id="p6")]
    write_hive(root, "feedback", HOUR, said)
    return root


def test_an_entity_is_forgotten_everywhere(tmp_path: Path) -> None:
    root = full_log(tmp_path)
    size = (root / "pod" / NAME).stat().st_size
    receipt = forget(str(root), ["a"])
    assert ids(root) == (["p2", "p5", "p6"], ["f2", "f4", "f5"])
    assert (receipt.removed, receipt.read_again, receipt.left, receipt.predictions) == (6, 4, {}, 4)
    assert {Path(each.file).name: each.removed for each in receipt.files} == {
        NAME: 2, FEEDBACK: 1, "pod-1.parquet": 1, "only-a.parquet": 1,
    }  # fmt: skip
    assert all(each.before != each.after for each in receipt.files)
    assert not any((root / "predictions").rglob("only-a.parquet"))
    assert (root / "pod" / NAME).stat().st_size == size
    assert verify([str(root)]).sound
    assert b'"a"' not in b"".join(path.read_bytes() for path in root.rglob("*.*") if path.is_file())
    assert forget(str(root), ["a"]).removed == 0


def test_feedback_is_found_by_its_prediction_in_another_place(tmp_path: Path) -> None:
    pod = segment(
        tmp_path / "pod", [[feedback("f1", prediction_id="p1"), feedback("f2", prediction_id="p2")]], FEEDBACK
    )
    write_hive(tmp_path / "lake", "predictions", HOUR, [record("p1", entity_id="a"), record("p2", entity_id="b")])
    receipt = forget(str(pod.parent), ["a"], also=[str(tmp_path / "lake")])
    assert (receipt.removed, receipt.read_again, receipt.left) == (2, 2, {})
    assert ids(tmp_path) == (["p2"], ["f2"])


def test_what_could_not_be_shipped_is_forgotten_too_and_what_is_damaged_with_it(tmp_path: Path) -> None:
    pod, rows = tmp_path / "pod", [record(f"p{n}", entity_id="a" if n < 3 else "b") for n in range(1, 4)]
    path = segment(pod / "rejected", [[row] for row in rows])
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"p2"', b'"p9"') + b"torn")
    receipt = forget(str(pod), ["a"])
    assert (receipt.removed, receipt.read_again, receipt.left) == (1, 1, {})
    assert b'"a"' not in path.read_bytes()
    with path.open("rb") as file:
        assert [block.end for block in blocks(file) if block.rows] == [len(whole)]
    assert path.stat().st_size == len(whole) + len(b"torn")


def test_a_hashed_entity_is_forgotten_with_its_key(tmp_path: Path) -> None:
    root = full_log(tmp_path)
    assert forget(str(root), ["a"], b"key").removed == 8
    assert ids(root) == (["p2", "p5"], ["f2", "f4"])


class Interrupted(Exception):
    """The process ends here."""


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_what_ended_in_the_middle_is_finished_by_the_same_again(
    allowed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, put, left = full_log(tmp_path), LocalFolder.put, iter(range(allowed))

    def interrupted(self: LocalFolder, source: Path, name: str) -> None:
        if next(left, None) is None:
            raise Interrupted
        put(self, source, name)

    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "put", interrupted)
        with pytest.raises(Interrupted):
            forget(str(root), ["a"])
    assert verify([str(root)]).sound
    assert forget(str(root), ["a"]).left == {}
    assert ids(root) == (["p2", "p5", "p6"], ["f2", "f4", "f5"])


def test_a_living_pods_segment_is_left_alone_and_told_and_a_dead_ones_sealed(tmp_path: Path) -> None:
    path = segment(tmp_path, [[record("p1", entity_id="a"), record("p2")]], NAME + ".open")
    with path.open("rb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        content = path.read_bytes()
        assert forget(str(tmp_path), ["a"]).left == {str(path): 1}
        assert path.read_bytes() == content
    assert forget(str(tmp_path), ["a"]).left == {}
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
    assert ids(tmp_path)[0] == ["p2"]


def hours(root: Path) -> Path:
    for n in range(3):
        write_hive(root, "predictions", HOUR, [record(f"p{n}", minute=n)], f"pod-{n}.parquet")
    write_hive(root, "predictions", "2026-01-01T13", [record("p9", minute=60)])
    return root / "predictions/namespace=demo/objective=late" / f"hour={HOUR}"


def test_an_hour_is_merged_exactly_once(tmp_path: Path) -> None:
    hour = hours(tmp_path)
    (done,) = compact(str(tmp_path), LATER)
    assert (done.files, done.leftovers, len(list(hour.iterdir()))) == (3, 0, 1)
    assert compact(str(tmp_path), LATER) == []
    write_hive(tmp_path, "predictions", HOUR, [record("p1", minute=1)], "pod-1.parquet")  # a shipper repeats it
    write_hive(tmp_path, "predictions", HOUR, [record("p3", minute=3)], "pod-3.parquet")
    assert ids(tmp_path)[0] == ["p0", "p1", "p2", "p3", "p9"]
    found = verify([str(tmp_path)])
    assert (found.sound, found.leftovers, found.rows["predictions"]) == (True, 1, 5)
    (done,) = compact(str(tmp_path), LATER)
    assert (done.files, done.leftovers) == (2, 1)
    write_hive(tmp_path, "predictions", HOUR, [record("p1", minute=1)], "pod-1.parquet")
    assert ids(tmp_path)[0] == ["p0", "p1", "p2", "p3", "p9"]


def test_hours_that_may_still_grow_are_left_alone(tmp_path: Path) -> None:
    hours(tmp_path)
    assert compact(str(tmp_path), datetime(2026, 1, 1, 12, 59, tzinfo=UTC)) == []


def test_a_merge_that_ended_in_the_middle_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = hours(tmp_path)

    def interrupted(self: LocalFolder, name: str) -> None:
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "remove", interrupted)
        with pytest.raises(Interrupted):
            compact(str(tmp_path), LATER)
    assert len(list(hour.iterdir())) == 4
    assert ids(tmp_path)[0] == ["p0", "p1", "p2", "p9"]
    assert compact(str(tmp_path), LATER) == [Merged(leftovers=3)]
    assert ids(tmp_path)[0] == ["p0", "p1", "p2", "p9"]


def test_a_merged_file_still_says_what_it_was_made_of_when_an_entity_is_forgotten(tmp_path: Path) -> None:
    for n in range(2):
        write_hive(tmp_path, "predictions", HOUR, [record(f"p{n}", entity_id="a")], f"pod-{n}.parquet")
    compact(str(tmp_path), LATER)
    assert forget(str(tmp_path), ["a"]).removed == 2
    write_hive(tmp_path, "predictions", HOUR, [record("p1", entity_id="a")], "pod-1.parquet")
    assert ids(tmp_path)[0] == []
    assert forget(str(tmp_path), ["a"]).removed == 1  # it lies there, though it does not count


def test_only_a_sinks_root_is_compacted(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(LogInvalid, match="no folders of hours are below it: give the root of a sink"):
        compact(str(tmp_path), LATER)


def test_what_is_wrong_with_a_log_is_found(tmp_path: Path) -> None:
    path = segment(tmp_path / "a", [[record("p1")], [record("p2")]])
    assert verify([str(tmp_path)]).sound
    segment(tmp_path / "b", [[record("p1")]])
    doubled = verify([str(tmp_path)])
    assert (doubled.sound, doubled.doubled["predictions"], doubled.wrong) == (False, 1, [])
    path.write_bytes(path.read_bytes()[:-5])
    write_hive(tmp_path, "predictions", HOUR, [record("p3")]).write_bytes(b"PAR1 no more")
    found = verify([str(tmp_path)])
    assert (found.rows["predictions"], found.files["predictions"]) == (2, 3)
    assert "bytes are in no sound block: their records are lost" in found.wrong[0]
    assert "pod-1.parquet: cannot be read: " in found.wrong[1]
