"""What feedback may say, and how what it may not is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.feedback.bodies import parse_body

from turnout_runtime.errors import InvalidFeedback, InvalidRequest
from turnout_runtime.feedback.parse import MAX_ROWS, Outcome

NOON = "2026-01-01T12:00:00.000000Z"


def one(**fields: Any) -> Outcome:
    (outcome,) = parse_body(orjson.dumps(fields))
    return outcome


def refused(*rows: Any, listed: bool = True) -> InvalidFeedback:
    with pytest.raises(InvalidFeedback) as raised:
        parse_body(orjson.dumps({"feedback": rows} if listed else rows[0]))
    return raised.value


def test_a_row_by_id_and_a_row_by_entity_and_time() -> None:
    row = {"prediction_id": "p", "label": 1, "reward": -3, "time": "2026-01-01T13:00:00+01:00", "source": "claims"}
    assert one(**row) == ("p", None, 1, -3.0, NOON, "claims")
    assert one(entity_id="e", time=1767268800, label="late") == (None, "e", "late", None, NOON, None)


@pytest.mark.parametrize(("said", "kept"), [(True, 1), (False, 0), (0, 0), (1.0, 1), ("yes", "yes"), ("0", "0")])
def test_labels(said: Any, kept: Any) -> None:
    label = one(prediction_id="p", label=said).label
    assert (label, type(label)) == (kept, type(kept))


@pytest.mark.parametrize("said", ["2026-01-01T12:00:00", "2026-01-01 12:00Z", "2026-01-01T12:00:00.0+00:00"])
def test_times(said: str) -> None:
    assert one(prediction_id="p", label=1, time=said).time == NOON


WRONG = [
    ({"label": 1}, "prediction_id: is missing; or give entity_id and time"),
    ({"entity_id": "e", "label": 1}, "time: is missing"),
    ({"prediction_id": "p"}, "label: is missing, and so is reward"),
    ({"prediction_id": 5, "label": 1}, "prediction_id: must be a string of 1 to 256 characters"),
    ({"prediction_id": "", "label": 1}, "prediction_id: must be a string of 1 to 256 characters"),
    ({"prediction_id": "p", "label": 2}, "label: a number must be 0 or 1; others go into reward"),
    ({"prediction_id": "p", "label": ""}, "label: must be 0, 1, true, false, or a string of 1 to 256 characters"),
    ({"prediction_id": "p", "label": "x" * 257}, "label: must be 0, 1, true, false, or a string"),
    ({"prediction_id": "p", "label": [1]}, "label: must be 0, 1, true, false, or a string"),
    ({"prediction_id": "p", "reward": "5"}, "reward: must be a number"),
    ({"prediction_id": "p", "reward": True}, "reward: must be a number"),
    ({"prediction_id": "p", "label": 1, "time": "noon"}, "time: must be RFC 3339"),
    ({"prediction_id": "p", "label": 1, "time": True}, "time: must be RFC 3339"),
    ({"prediction_id": "p", "label": 1, "time": -1}, "time: must be RFC 3339"),
    ({"prediction_id": "p", "label": 1, "time": 1e300}, "time: must be RFC 3339"),
    ({"prediction_id": "p", "label": 1, "time": "0001-01-01T00:00:00+14:00"}, "time: must be RFC 3339"),
    ({"prediction_id": "p", "label": 1, "source": {}}, "source: must be a string of 1 to 256 characters"),
    ({"prediction_id": "p", "lable": 1}, "lable: no such field; there are prediction_id, entity_id, label, reward"),
]


@pytest.mark.parametrize(("row", "told"), WRONG)
def test_what_is_wrong_with_a_row_names_the_field(row: Any, told: str) -> None:
    assert str(refused(row, listed=False)).startswith(told)
    assert str(refused({"prediction_id": "p", "label": 1}, row)).startswith(f"feedback.1.{told}")


def test_all_wrong_rows_are_told_and_the_message_shows_three() -> None:
    good, bad = {"prediction_id": "p", "label": 1}, {"prediction_id": "p", "reward": "x"}
    error = refused(*[good, bad] * 40, 7)
    assert [place for place, _ in error.faults] == [*range(1, 80, 2), 80]
    assert str(error).endswith("feedback.5.reward: must be a number (and 38 more)")
    assert error.faults[-1] == (80, "must be a JSON object")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b'{"feedback": []}', "feedback: must be a list of 1 to 1,000 objects"),
        (b'{"feedback": {}}', "feedback: must be a list of 1 to 1,000 objects"),
        (b'{"feedback": [1], "label": 1}', "label: stands beside feedback"),
        (orjson.dumps({"feedback": [{}] * (MAX_ROWS + 1)}), "feedback: must be a list of 1 to 1,000 objects"),
        (b'{"prediction_id": "\\ud800", "label": 1}', "the body is not JSON"),
        (b'{"prediction_id": "p", "reward": NaN}', "the body is not JSON"),
    ],
)
def test_bodies_that_are_no_feedback(body: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_body(body)
    assert str(raised.value).startswith(told)
    assert raised.value.http_status == 400


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1), max_value=datetime(9999, 12, 30)))
def test_a_time_is_the_same_moment_afterwards(moment: datetime) -> None:
    kept = one(prediction_id="p", label=1, time=moment.isoformat()).time
    assert kept is not None
    offset = moment.utcoffset() or timedelta()
    if offset.seconds % 60 == 0:  # others are not RFC 3339
        assert datetime.fromisoformat(kept) == moment.astimezone(UTC)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3)


@given(st.dictionaries(st.sampled_from(["prediction_id", "entity_id", "label", "reward", "time", "source"]), JSON))
def test_nothing_else_is_ever_raised(row: dict[str, Any]) -> None:
    try:
        (outcome,) = parse_body(orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS))
    except (InvalidRequest, TypeError):  # orjson itself refuses integers beyond 64 bits
        return
    assert outcome.prediction_id or (outcome.entity_id and outcome.time)
