"""Labels that came back to the log itself: alone, and beside a table."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.runtime.analysis.logs import record, write_csv, write_log
from tests.unit.runtime.analysis.test_log_labels import NOON, joined
from tests.unit.runtime.feedback.bodies import parse_body

from turnout_runtime.analysis.join import joining
from turnout_runtime.analysis.labels import LabelFile
from turnout_runtime.analysis.schema import FEEDBACK_FIELDS
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.cli import main
from turnout_runtime.errors import LogInvalid
from turnout_runtime.feedback.record import Records
from turnout_runtime.log.segments import frame

NAME = "feedback-20260101T000000000Z-1-1.jsonl"
RECEIVED = 1_767_312_000_000_000_000  # 2026-01-02T00:00:00Z


def write_feedback(folder: Path, *rows: dict[str, Any], objective: str = "late", name: str = NAME) -> None:
    """As a pod writes it, received at the end of the day."""
    outcomes = parse_body(orjson.dumps({"feedback": rows}))
    lines = Records("demo", "delay-1")(outcomes, objective, {"sub": "me"}, RECEIVED)
    (folder / name).write_bytes(frame(lines))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "log", [record(f"p{n}", minute=n, entity_id=f"e{n % 2}") for n in range(6)])


def test_the_schema_lists_the_fields_of_a_row() -> None:
    (line,) = Records("demo", "delay-1")(parse_body(b'{"prediction_id": "p", "label": 1}'), "late", None, RECEIVED)
    assert [field.name for field in FEEDBACK_FIELDS] == list(orjson.loads(line))


def test_the_page_shows_the_fields() -> None:
    page = (Path(__file__).parents[4] / "docs" / "prediction-log.md").read_text()
    table = page.partition("### Feedback")[2].partition("### ")[0]
    shown = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", table, re.M)
    zoned = "TIMESTAMP WITH TIME ZONE"
    assert shown == [(field.name, field.type.replace(zoned, "TIMESTAMPTZ"), field.meaning) for field in FEEDBACK_FIELDS]


def test_feedback_alone_by_id_and_by_entity(log: Path) -> None:
    write_feedback(
        log,
        {"prediction_id": "p0", "label": 1, "time": NOON},
        {"prediction_id": "p0", "label": 0},  # received later: corrects
        {"prediction_id": "p1", "reward": 2.5},
        {"entity_id": "e0", "label": True, "time": "2026-01-01T12:03:00Z"},  # of p2
        {"entity_id": "e1", "label": 1, "time": "2026-01-01T11:00:00Z"},  # before any
        {"prediction_id": "p9", "label": 1},
    )
    found, counts = joined(log, None)
    assert found == {"p0": (0, None), "p1": (None, 2.5), "p2": (1, None)}
    assert counts == {"rows": 6, "corrected": 1, "unknown": 2, "used": 3}


def test_an_entity_is_one_of_its_own_objective(log: Path) -> None:
    write_feedback(log, {"entity_id": "e0", "label": 1, "time": "2026-01-01T13:00:00Z"}, objective="another")
    found, counts = joined(log, None)
    assert not found
    assert counts["unknown"] == 1


def test_a_table_counts_beside_it_or_alone(log: Path, tmp_path: Path) -> None:
    write_feedback(log, {"prediction_id": "p0", "label": 1}, {"prediction_id": "p1", "label": 1, "time": NOON})
    rows = [("p1", 0, "2026-01-01T12:30:00Z"), ("p2", 0, "2026-01-01T12:30:00Z")]
    file = write_csv(tmp_path / "l.csv", "prediction_id,label,time", rows)
    found, counts = joined(log, file)
    assert found == {"p0": (1, None), "p1": (0, None), "p2": (0, None)}
    assert (counts["rows"], counts["corrected"], counts["used"]) == (4, 1, 3)
    assert set(joined(log, file, feedback=False)[0]) == {"p1", "p2"}


def test_as_of_goes_by_the_time_of_the_label(log: Path) -> None:
    write_feedback(log, {"prediction_id": "p0", "label": 1, "time": NOON}, {"prediction_id": "p1", "label": 1})
    found, counts = joined(log, None, as_of=datetime(2026, 1, 1, 13, tzinfo=UTC))
    assert (set(found), counts["later"]) == ({"p0"}, 1)


def test_words_need_to_know_which_is_positive(log: Path) -> None:
    write_feedback(log, {"prediction_id": "p0", "label": "late"}, {"prediction_id": "p1", "label": "on time"})
    with pytest.raises(LogInvalid, match=r"'late' is no number: say with --positive"):
        joined(log, None)
    assert joined(log, None, positive="late")[0] == {"p0": (1, None), "p1": (0, None)}


def test_no_labels_at_all(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LogInvalid, match="there is no feedback in this log: give a table with --labels"):
        joined(log, None)
    assert main(["log", "labels", str(log), "--no-feedback"]) == 1
    assert "--no-feedback leaves no labels" in capsys.readouterr().err


def test_damaged_feedback_is_left_out_and_the_rest_counts(log: Path) -> None:
    write_feedback(log, {"prediction_id": "p0", "label": 1})
    with (log / NAME).open("ab") as file:
        file.write(b"#1 500 00000000\n{torn")
    write_feedback(log, {"prediction_id": "p1", "label": 1}, name=f"{NAME}.open".replace("-1.", "-2."))
    with joining(LogSource([log]), LabelFile(None)) as join:
        assert join.counts.rows == 2
