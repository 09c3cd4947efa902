import hmac
import json
from typing import Any

import orjson
import pytest

from turnout_runtime.facts import Fact
from turnout_runtime.log.privacy import Privacy, pseudonym
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Decision, Request

KEY = b"0123456789abcdef"
CONTEXT = {"passenger": {"name": "Ada", "age": 36}, "seats": [{"name": "Bob"}, {"name": "Eve", "row": 3}], "a.b": 1}


def _logged(privacy: Privacy, context: dict[str, Any] = CONTEXT, **fields: Any) -> dict[str, Any]:
    prediction = Prediction(Route("late", caller={"sub": "u-1", "team": "ops"}), "p-1", 10**18, 0.0)
    prediction.accept(Request("r-1", "N1", {}, context, None))
    prediction.facts = {"plane": Fact({"owner": "Ada", "seats": 4}, "live", 1.0, 1.0, None)}
    prediction.features = {"age": 36.0, "distance": 10.0}
    prediction.decision = Decision("late", 0.5, 1.0, details={"why": ["Ada"]})
    for name, value in fields.items():
        setattr(prediction, name, value)
    record: dict[str, Any] = json.loads(Encoder(Identity("n", "m", "m-1", "sha256:a"), privacy)(prediction))
    return record


def _hash(text: str) -> str:
    return "hmac:" + hmac.new(KEY, text.encode(), "sha256").hexdigest()[:32]


def test_redacted_paths_are_null_whole_objects_too_and_nothing_else_changes() -> None:
    paths = ["context.passenger", "context.seats.name", "features.age", "facts.plane", "caller.sub", "details.why"]
    record, whole = _logged(Privacy([*paths, "context.no.such", "entity_id.x"])), _logged(Privacy())
    assert record["context"] == {"passenger": None, "seats": [{"name": None}, {"name": None, "row": 3}], "a.b": 1}
    assert (record["features"], record["facts"]) == ({"age": None, "distance": 10.0}, {"plane": None})
    assert (record["caller"], record["details"]) == ({"sub": None, "team": "ops"}, {"why": None})
    changed = {"context", "features", "facts", "caller", "details"}
    assert {name for name in whole if record[name] != whole[name]} == changed
    assert _logged(Privacy(["context", "features"]))["context"] is None


def test_hashed_paths_are_keyed_hashes_of_the_text() -> None:
    record = _logged(
        Privacy(hashed=["entity_id", "context.passenger.age", "context.seats.name", "context.a.b"], key=KEY)
    )
    assert record["entity_id"] == pseudonym(KEY, "N1") == _hash("N1")
    assert record["context"]["passenger"] == {"name": "Ada", "age": _hash("36")}
    assert [seat["name"] for seat in record["context"]["seats"]] == [_hash("Bob"), _hash("Eve")]
    assert record["context"]["a.b"] == _hash("1")


def test_a_hash_is_of_one_text_whatever_the_order_of_names_and_null_has_none() -> None:
    assert pseudonym(KEY, {"b": 1, "a": 2}) == pseudonym(KEY, {"a": 2, "b": 1}) == _hash('{"a":2,"b":1}')
    assert pseudonym(KEY, None) is None
    assert pseudonym(b"another key 1234", "N1") != pseudonym(KEY, "N1")


def test_what_is_both_is_redacted() -> None:
    assert _logged(Privacy(["entity_id"], ["entity_id"], KEY))["entity_id"] is None


def test_values_that_others_use_stay_as_they_are() -> None:
    shared = {"plane": Fact({"owner": "Ada"}, "cache", 0.0, 1.0, None)}
    record = _logged(Privacy(["facts.plane.value.owner"]), facts=shared)
    assert record["facts"]["plane"]["value"] == {"owner": None}
    assert shared["plane"].value == {"owner": "Ada"}


@pytest.mark.parametrize("details", [{"secret": 2**70, "x": object}, {"secret": {1: "a"}}])
def test_what_json_refuses_is_hidden_all_the_same(details: Any) -> None:
    record = _logged(Privacy(["details.secret"]), decision=Decision("late", 0.5, 1.0, details=details))
    assert record["details"]["secret"] is None


def test_it_does_for_feedback_too() -> None:
    row: dict[str, Any] = {"entity_id": "N1", "label": 1, "caller": {"sub": "u-1"}}
    Privacy(["caller.sub"], ["entity_id"], KEY)(row)
    assert orjson.dumps(row) == orjson.dumps({"entity_id": _hash("N1"), "label": 1, "caller": {"sub": None}})
