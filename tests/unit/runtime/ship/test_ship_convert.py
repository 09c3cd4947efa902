"""Segments become Parquet: the documented columns, whole blocks only, one file for each partition."""

from pathlib import Path

import duckdb
import pytest
from tests.unit.runtime.ship.segments import feedback, ids, row, segment, write

from turnout_runtime.analysis.schema import FEEDBACK_FIELDS, FIELDS
from turnout_runtime.errors import LogInvalid
from turnout_runtime.ship import intact
from turnout_runtime.ship.convert import convert


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "log [a*]"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def made(path: Path) -> tuple[dict[str, int], dict[str, list[str]]]:
    """What is said of a segment, and the keys in each of its files, by name without the last part."""
    said = convert(path.name, Path("out"), "pod-1")
    key = "feedback_id" if path.name.startswith("feedback") else "prediction_id"
    found = {}
    for file in said.pop("files"):
        rows = duckdb.sql(
            f"SELECT {key} FROM read_parquet('out/{file['path']}') ORDER BY length({key}), {key}"
        ).fetchall()
        assert len(rows) == file["rows"]
        assert file["bytes"] == Path("out", file["path"]).stat().st_size
        found[file["name"].rpartition("/")[0]] = [name for (name,) in rows]
    return said, found


def test_rows_of_one_partition_are_one_file_with_the_documented_columns(log: Path) -> None:
    said, found = made(write(log, 1, [row(number) for number in range(10)]))
    assert found == {"predictions/namespace=flights/objective=delay/hour=2026-11-22T13": ids(range(10))}
    assert said == {"unreadable": 0, "damaged": 0}
    described = duckdb.sql("DESCRIBE FROM read_parquet('out/part-0.parquet')").fetchall()
    columns = [(name, kind.replace('"', "")) for name, kind, *_ in described]
    assert columns == [(field.name, field.type) for field in FIELDS]
    values = duckdb.sql("SELECT context->>'n', features['x'] FROM read_parquet('out/part-0.parquet')").fetchall()
    assert values[4] == ("4", 2.0)


def test_hours_and_objectives_are_files_of_their_own_and_no_value_has_a_folder_too(log: Path) -> None:
    rows = [row(0), row(1, time="2026-11-22T14:00:00Z"), row(2, objective=None), row(3, objective="a/b")]
    _, found = made(write(log, 1, rows))
    place = "predictions/namespace=flights/objective={}/hour=2026-11-22T{}"
    assert found == {
        place.format("delay", 13): ["p0"],
        place.format("delay", 14): ["p1"],
        place.format("__none__", 13): ["p2"],
        place.format("a%2Fb", 13): ["p3"],
    }


def test_feedback_has_files_of_its_own_by_the_hour_in_which_it_came(log: Path) -> None:
    _, found = made(write(log, 1, [feedback(1), feedback(2, prediction_id=None, label="late")], kind="feedback"))
    assert found == {"feedback/namespace=flights/objective=delay/hour=2026-11-22T14": ["f1", "f2"]}
    described = duckdb.sql("DESCRIBE FROM read_parquet('out/part-0.parquet')").fetchall()
    assert [name for name, *_ in described] == [field.name for field in FEEDBACK_FIELDS]


def test_a_damaged_block_is_left_out_and_lines_that_are_no_record_are_told(log: Path) -> None:
    path = write(log, 1, [row(0), row(1), b'{"torn": \n', row(3), row(4), row(5), row(6)])
    content = bytearray(path.read_bytes())
    content[content.index(b'"p4"') + 1] ^= 1
    path.write_bytes(bytes(content))
    said, found = made(path)
    assert list(found.values()) == [["p0", "p1", "p6"]]
    assert said["unreadable"] == 1
    assert said["damaged"] == len(b"".join(map(row, (3, 4, 5)))) + len("#3 123 01234567\n")


def test_large_rows_go_in_pieces_and_too_large_ones_stay_behind(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intact, "_LONG", 2_000)
    monkeypatch.setattr(intact, "_PIECE", 10_000)
    monkeypatch.setattr(intact, "LONGEST", 50_000)
    rows = [row(number, details={"pad": "x" * (60_000 if number == 7 else 3_000)}) for number in range(20)]
    said, found = made(write(log, 1, rows))
    assert list(found.values()) == [ids(number for number in range(20) if number != 7)]
    assert said["unreadable"] == 1


def test_what_is_no_segment_at_all_is_rejected(log: Path) -> None:
    (log / segment(1).name).write_bytes(b"\x00" * 100)
    with pytest.raises(LogInvalid, match="no record in it"):
        convert(segment(1).name, Path("out"), "pod-1")


def test_lines_without_blocks_as_older_runtimes_wrote_them_are_taken(log: Path) -> None:
    (log / segment(1).name).write_bytes(row(1) + row(2))
    _, found = made(log / segment(1).name)
    assert list(found.values()) == [["p1", "p2"]]
