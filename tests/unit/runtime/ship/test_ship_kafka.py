"""Rows as messages, what librdkafka is told, and what its errors mean."""

import json

import pytest
from confluent_kafka import KafkaError

from turnout_runtime.config.ship import KafkaSink
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.ship.kafka import messages
from turnout_runtime.ship.kafka.errors import failure, hopeless, too_large
from turnout_runtime.ship.kafka.messages import message
from turnout_runtime.ship.kafka.settings import bounds, settings
from turnout_runtime.ship.sink import Kind


@pytest.mark.parametrize(
    "row",
    [
        b'{"schema_version":3,"prediction_id":"p-1","context":{"prediction_id":"other"}}\n',
        b'{"prediction_id":"p-1","schema_version":3}\n',
        b'{"schema_version":3,"prediction_id":"p\\u002d1"}\n',
        b'{"schema_version":3,"context":{"prediction_id":"other"},"prediction_id":"p-1"}\n',
        b'{"schema_version":3,"objective":"\\"prediction_id\\":\\"other","arm":"{","prediction_id":"p-1"}\n',
    ],
)
def test_a_prediction_has_its_id_as_key(row: bytes) -> None:
    made = message(row, "predictions")
    assert made.value == row[:-1]
    assert made.key == b"p-1"
    assert made.headers == [("kind", b"prediction"), ("record_id", b"p-1")]


def test_the_runtimes_records_need_not_be_read_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    route = Route("flight-delay", policy_version="3", arm="b", propensity=0.5)
    prediction = Prediction(route, "p-1", 10**18, 0.0)
    line = Encoder(Identity("flights", "delay", "delay-1", "sha256:a"))(prediction)
    monkeypatch.setattr(messages, "orjson", None)
    assert message(line, "predictions").key == b"p-1"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"prediction_id": "p-1", "entity_id": "e"}, b"p-1"),
        ({"prediction_id": None, "entity_id": "ü"}, "ü".encode()),
        ({}, None),
    ],
)
def test_feedback_has_the_key_of_what_it_is_about(fields: dict[str, str], key: bytes | None) -> None:
    row = json.dumps({"schema_version": 1, "feedback_id": "f-1", **fields}).encode() + b"\n"
    made = message(row, "feedback")
    assert made.key == key
    assert made.headers == [("kind", b"feedback"), ("record_id", b"f-1")]


@pytest.mark.parametrize("kind", ["predictions", "feedback"])
@pytest.mark.parametrize("row", [b"{}", b"[1]", b"{torn"])
def test_a_row_without_ids_is_a_message_too(kind: Kind, row: bytes) -> None:
    assert message(row + b"\n", kind)[:2] == (row, None)
    assert message(b'{"prediction_id":5}\n', kind).key == b"5"


@pytest.mark.parametrize(
    ("more", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": {}}, "SSL"),
        ({"sasl": True}, "SASL_PLAINTEXT"),
        ({"sasl": True, "tls": {"ca": "/ca.crt"}}, "SASL_SSL"),
    ],
)
def test_how_the_brokers_are_spoken_to(more: dict[str, object], protocol: str) -> None:
    told = settings(_config(**more), {"NAME": "n", "WORD": "w"})
    assert told["security.protocol"] == protocol
    assert (told.get("sasl.username"), told.get("sasl.password")) == (
        ("n", "w") if "SASL" in protocol else (None, None)
    )
    assert told.get("ssl.ca.location") == ("/ca.crt" if protocol == "SASL_SSL" else None)


def test_nothing_is_lost_nor_doubled_by_the_producer_itself() -> None:
    told = settings(_config(brokers=["a:1", "b:2"]), {})
    assert (told["enable.idempotence"], told["acks"]) == (True, "all")
    assert told["bootstrap.servers"] == "a:1,b:2"
    assert bounds(1000, 2.5) == {"batch.size": 1000, "message.timeout.ms": 2500}


def test_a_secret_that_is_missing_names_the_variable() -> None:
    with pytest.raises(ConfigInvalid, match=r"kafka\.sasl\.usernameEnv: the variable NAME is not set"):
        settings(_config(sasl=True), {"WORD": "secret"})


@pytest.mark.parametrize(
    ("code", "trouble", "reason", "words"),
    [
        (KafkaError._MSG_TIMED_OUT, None, "timeout", "did not acknowledge in time"),
        (KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, "unreachable", "cannot reach the brokers"),
        (KafkaError._MSG_TIMED_OUT, KafkaError._AUTHENTICATION, "refused", "the credentials"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._TRANSPORT, "missing", "no topic t: create it"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, None, "refused", "may not write to t"),
        (KafkaError.INVALID_RECORD, None, "answered", "an error of their own"),
    ],
)
def test_what_a_failure_means(code: int, trouble: int | None, reason: str, words: str) -> None:
    made = failure(KafkaError(code), None if trouble is None else KafkaError(trouble), "t")
    assert made.reason == reason
    assert words in str(made)


def test_what_waiting_does_not_mend() -> None:
    assert hopeless(KafkaError(KafkaError._SSL))
    assert not hopeless(KafkaError(KafkaError._TRANSPORT))
    assert too_large(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    assert not too_large(KafkaError(KafkaError._MSG_TIMED_OUT))


def _config(**more: object) -> KafkaSink:
    told: dict[str, object] = {"brokers": ["a:1"], "topic": "t", **more}
    if "sasl" in more:
        told["sasl"] = {"mechanism": "PLAIN", "usernameEnv": "NAME", "passwordEnv": "WORD"}
    return KafkaSink.model_validate(told)
