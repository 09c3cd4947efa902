"""Which label belongs to which prediction, and what becomes of the others."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.analysis.logs import record, write_csv, write_log

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.export import export
from turnout_runtime.analysis.groups import Answers
from turnout_runtime.analysis.join import MATCHED, joining
from turnout_runtime.analysis.labelled import coverage, write_labelled
from turnout_runtime.analysis.labels import LabelFile
from turnout_runtime.analysis.places import Range
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import BatchInvalid, LogInvalid

NOON = "2026-01-01T12:00:00Z"


def joined(log: Path, file: Path | None, **options: Any) -> tuple[dict[str, tuple[Any, Any]], dict[str, int]]:
    """Label and reward by prediction, and the counts."""
    with joining(LogSource([log]), LabelFile(None if file is None else str(file), **options)) as join:
        sql = join.select(f"p.prediction_id, {join.flags}")
        rows = join.connection.execute(
            f"SELECT prediction_id, label, reward FROM ({sql}) WHERE n IS NOT NULL"
        ).fetchall()
        join.counted(*join.connection.execute(f"SELECT {MATCHED} FROM ({sql})").fetchone())
        return {name: (label, reward) for name, label, reward in rows}, dict(join.counts.told())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "log", [record(f"p{n}", minute=n) for n in range(6)])


def test_by_id_with_everything_that_can_be_wrong(log: Path, tmp_path: Path) -> None:
    rows = [
        ("p0", 1, 0.5, NOON),
        ("p1", 0, "", "2026-01-01T12:05:00Z"),
        ("p1", 1, "", "2026-01-01T12:06:00Z"),  # corrects
        ("p1", 1, "", "2026-01-01T12:06:00Z"),  # a duplicate
        ("p2", 0, "", "2026-01-01T12:07:00Z"),
        ("p2", 1, "", "2026-01-01T12:07:00Z"),  # a conflict
        ("p3", 1, "", "2026-01-01T11:00:00Z"),  # early
        ("p4", "", "", NOON),  # incomplete
        ("p4", "nan", "inf", NOON),  # incomplete
        ("", 1, 1, NOON),  # incomplete
        ("p9", 1, 1, NOON),  # unknown
    ]
    found, counts = joined(log, write_csv(tmp_path / "l.csv", "prediction_id,label,reward,time", rows))
    assert found == {"p0": (1, 0.5), "p1": (1, None)}
    assert counts == {
        "rows": 11, "incomplete": 3, "duplicates": 1, "corrected": 1, "conflicts": 2, "unknown": 1, "early": 1,
        "used": 2,
    }  # fmt: skip
    assert sum(count for name, count in counts.items() if name != "rows") == counts["rows"]


def test_a_label_and_its_reward_may_come_apart(log: Path, tmp_path: Path) -> None:
    one, two = "2026-01-01T12:10:00Z", "2026-01-01T12:20:00Z"
    rows = [
        ("p0", 1, "", one), ("p0", "", 0.5, two),
        ("p1", 1, "", one), ("p1", "", 0.5, one),  # not in conflict
        ("p2", 1, 0.5, one), ("p2", 0, "", two),  # corrects the label alone
        ("p3", 0, "", one), ("p3", 1, "", one), ("p3", "", 2.0, one),  # a conflict of labels
        ("p5", 1, "", NOON), ("p5", "", 0.5, two),  # the label is early
    ]  # fmt: skip
    found, counts = joined(log, write_csv(tmp_path / "l.csv", "prediction_id,label,reward,time", rows))
    assert found == {"p0": (1, 0.5), "p1": (1, 0.5), "p2": (0, 0.5), "p3": (None, 2.0)}
    assert counts == {"rows": 11, "completing": 4, "conflicts": 2, "early": 1, "used": 4}


def test_window_and_as_of(log: Path, tmp_path: Path) -> None:
    rows = [("p0", 1, "2026-01-01T12:30:00Z"), ("p1", 1, "2026-01-01T14:00:00+01:00"), ("p2", 1, "2026-01-02")]
    file = write_csv(tmp_path / "l.csv", "prediction_id,label,time", rows)
    found, counts = joined(log, file, window=1800.0)
    assert (list(found), counts["overdue"], counts["used"]) == (["p0"], 2, 1)
    found, counts = joined(log, file, as_of=datetime(2026, 1, 1, 13, tzinfo=UTC))
    assert (sorted(found), counts["later"], counts["used"]) == (["p0", "p1"], 1, 2)


def test_by_entity_the_newest_answer_before_it(tmp_path: Path) -> None:
    predictions = [
        record("a0", entity_id="a", minute=0),
        record("a10", entity_id="a", minute=10),
        record("b5", entity_id="b", minute=5),
        record("shadow", entity_id="a", minute=15, shadow=True),
        record("failed", entity_id="a", minute=16, status="error"),
    ]
    log = write_log(tmp_path / "log", predictions)
    rows = [
        {"entity_id": "a", "time": "2026-01-01T12:09:00Z", "label": True},
        {"entity_id": "a", "time": "2026-01-01T12:20:00Z", "label": False},
        {"entity_id": "b", "time": "2026-01-01T12:04:00Z", "label": True},  # before any
        {"entity_id": "c", "time": "2026-01-01T12:04:00Z", "label": True},
    ]
    file = tmp_path / "l.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    found, counts = joined(log, file, by_entity=True)
    assert found == {"a0": (1, None), "a10": (0, None)}
    assert counts == {"rows": 4, "unknown": 2, "used": 2}
    assert joined(log, file, by_entity=True, window=300.0)[1] == {"rows": 4, "unknown": 2, "overdue": 2, "used": 0}


def test_an_outcome_of_an_answer_after_the_range_is_none_of_an_older_one(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [record(f"a{n}", entity_id="a", minute=n) for n in (0, 10, 20)])
    rows = [("a", 1, "2026-01-01T12:12:00Z"), ("a", 1, "2026-01-01T12:30:00Z")]
    file = write_csv(tmp_path / "l.csv", "entity_id,label,time", rows)
    until = datetime(2026, 1, 1, 12, 15, tzinfo=UTC)
    with joining(LogSource([log], Range(until=until)), LabelFile(str(file), by_entity=True)) as join:
        coverage(join)
        found = join.connection.execute(f"SELECT prediction_id, n FROM ({join.select('p.prediction_id')})").fetchall()
    assert [(name, n is not None) for name, n in sorted(found)] == [("a0", False), ("a10", True)]
    assert dict(join.counts.told()) == {"rows": 2, "unknown": 1, "used": 1}


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from([0, 1, None]), st.integers(-2, 90)), max_size=25))
@settings(max_examples=20, deadline=None)
def test_every_row_of_labels_is_accounted_for(said: list[tuple[int, int | None, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = write_log(Path(folder, "log"), [record(f"p{n}", minute=n) for n in range(6)])
        rows = [(f"p{n}", "" if label is None else label, 1_767_268_800 + 60 * minute) for n, label, minute in said]
        file = write_csv(Path(folder, "l.csv"), "prediction_id,label,time", rows)
        found, counts = joined(log, file, window=3600.0)
    assert sum(count for name, count in counts.items() if name != "rows") == counts["rows"] == len(said)
    assert counts["used"] == len(found)
    for name, (label, _) in found.items():
        number = int(name[1:])
        newest = max(minute for n, value, minute in said if n == number and value is not None)
        assert {value for n, value, minute in said if (n, minute) == (number, newest) and value is not None} == {label}
        assert number <= newest <= number + 60


def test_other_names_words_and_formats(log: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "l.csv", "id,outcome,seen", [("p0", "late", 1_767_268_860), ("p1", "on_time", "x")])
    options = {"id_column": "id", "label_column": "outcome", "time_column": "seen"}
    assert joined(log, file, positive="late", **options)[0] == {"p0": (1, None), "p1": (0, None)}
    with pytest.raises(LogInvalid, match="outcome: 'late' is no number: say with --positive which word means 1"):
        joined(log, file, **options)
    with database() as connection:
        parquet = tmp_path / "l.parquet"
        connection.execute(f"COPY (SELECT 'p0' AS prediction_id, 2.5::FLOAT AS reward) TO '{parquet}' (FORMAT parquet)")
    assert joined(log, parquet)[0] == {"p0": (None, 2.5)}


@pytest.mark.parametrize(
    ("header", "options", "told"),
    [
        ("id,label", {}, "no column prediction_id; there are id, label: name it with --id-column"),
        ("prediction_id,label", {"by_entity": True}, "no column entity_id; .* name it with --entity-column"),
        ("prediction_id,y", {}, "no column label or reward: name one with --label-column or --reward-column"),
        ("prediction_id,y", {"label_column": "z"}, "no column 'z'; there are prediction_id, y"),
        ("prediction_id,label", {"window": 1.0}, "no column time: name the labels' own time with --time-column"),
    ],
)
def test_labels_that_do_not_fit(header: str, options: dict[str, Any], told: str, log: Path, tmp_path: Path) -> None:
    with pytest.raises(LogInvalid, match=told):
        joined(log, write_csv(tmp_path / "l.csv", header, [("p0", "1")]), **options)


def test_labels_that_are_not_there(log: Path, tmp_path: Path) -> None:
    with pytest.raises(BatchInvalid, match="there is no such file"):
        joined(log, tmp_path / "none.csv")
    with pytest.raises(BatchInvalid, match="does not end in"):
        joined(log, write_csv(tmp_path / "l.txt", "a", []))


def test_coverage_and_the_labelled_answers(tmp_path: Path) -> None:
    predictions = [
        record("p1"),
        record("p2", arm="next", revision="delay-2"),
        record("p3", arm="next", revision="delay-2"),
    ]
    log = write_log(
        tmp_path / "log", [*predictions, record("p4", shadow=True), record("p5", status="shed", decision=None)]
    )
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [("p1", 1), ("p2", 0), ("p4", 1), ("p5", 1)])
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        write_labelled(join, tmp_path / "o.parquet")
        assert coverage(join) == [("delay-1", "main", "1", "1", "100.0%"), ("delay-2", "next", "2", "1", "50.0%")]
        assert dict(join.counts.told()) == {"rows": 4, "unknown": 2, "used": 2}
        rows = join.connection.execute(f"SELECT prediction_id, label FROM '{tmp_path}/o.parquet' ORDER BY 1").fetchall()
    assert rows == [("p1", 1), ("p2", 0), ("p4", 1)]


def test_a_record_that_was_delivered_twice_counts_once(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [record("p1"), record("p1"), record("p2")])
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [("p1", 1), ("p2", 0)])
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        rows = list(Answers(join).groups(None, None, weighted=False))
        assert [len(columns.label) for _, columns in rows] == [2]
        assert join.counts.used == 2
        assert export(join, tmp_path / "t.csv", fallbacks=True, context=False).rows == 2


def test_a_training_set_holds_what_was_known(tmp_path: Path) -> None:
    predictions = [
        record("p1", minute=1, features={"x": 1.0, "wind": None}),
        record("p0", minute=0, features={"x": 2.0, "new": 3.0}),
        record("fallback", minute=2, fallback_used=True, fallback="facts"),
        record("shadow", minute=3, shadow=True),
        record("remembered", minute=4, features=None),
        record("unlabelled", minute=5),
        record("early", minute=6),
        record("late", minute=7),
    ]
    log = write_log(tmp_path / "log", predictions)
    rows = [(each["prediction_id"], 1, "2026-01-01T12:30:00Z") for each in predictions[:5]]
    rows += [("early", 1, "2026-01-01T12:05:59Z"), ("late", 1, "2026-01-03")]
    file = write_csv(tmp_path / "l.csv", "prediction_id,label,time", rows)
    train = tmp_path / "train.parquet"
    with joining(LogSource([log]), LabelFile(str(file), as_of=datetime(2026, 1, 2, tzinfo=UTC))) as join:
        done = export(join, train, fallbacks=False, context=True)
        columns = [name for name, *_ in join.connection.execute(f"DESCRIBE FROM '{train}'").fetchall()]
        found = join.connection.execute(f"SELECT prediction_id, COLUMNS('^feature.*'), label FROM '{train}'").fetchall()
        assert (join.counts.early, join.counts.later) == (1, 1)
    assert found == [("p0", 2.0, 3.0, None, 1.0), ("p1", 1.0, None, None, 1.0)]
    assert (done.rows, done.without_features, done.without_label, done.features) == (2, 1, 3, 3)
    assert columns == [
        "prediction_id", "entity_id", "time", "revision", "arm", "propensity", "fallback", "score", "decision",
        "feature.x", "feature.new", "feature.wind", "context", "facts", "label", "reward", "label_time",
    ]  # fmt: skip


def test_no_training_set(log: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [("p9", 1)])
    for name, told in (
        ("t.parquet", "no answer in this log has features and a label"),
        ("t.txt", "ends in .parquet or .csv"),
    ):
        with joining(LogSource([log]), LabelFile(str(file))) as join, pytest.raises(LogInvalid, match=told):
            export(join, tmp_path / name, fallbacks=True, context=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.csv", "log"]
