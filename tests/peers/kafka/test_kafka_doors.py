"""Who may write to a Kafka that asks: passwords, certificates, and words that never tell them."""

import logging
from pathlib import Path

import pytest
from tests.cluster.pki import write
from tests.peers.kafka.broker import Broker
from tests.peers.kafka.rows import PREDICTIONS, numbers, predictions
from tests.peers.kafka.server import OPEN, PASSWORD, SASL, TLS, USER

from turnout_runtime.config.ship import KafkaSink
from turnout_runtime.ship.kafka.stream import KafkaStream
from turnout_runtime.ship.sink import SinkFailed

SECRETS = {"NAME": USER, "WORD": PASSWORD}


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [(SASL, "SCRAM-SHA-512"), (SASL, "PLAIN"), (TLS, "SCRAM-SHA-256"), (TLS, "SCRAM-SHA-512")],
)
async def test_those_who_know_the_password_may(kafka: Broker, listener: str, mechanism: str) -> None:
    topic = kafka.create(f"door-{listener}-{mechanism}")
    stream = _stream(kafka, topic, listener, mechanism)
    assert await stream.send(predictions(20), PREDICTIONS) == 20
    await stream.close()
    assert sorted(numbers(kafka.read(topic))) == list(range(20))


@pytest.mark.parametrize(("listener", "mechanism"), [(SASL, "PLAIN"), (SASL, "SCRAM-SHA-512"), (TLS, "SCRAM-SHA-256")])
async def test_a_wrong_password_is_told_and_never_shown(
    kafka: Broker, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], listener: str, mechanism: str
) -> None:
    stream = _stream(kafka, "any", listener, mechanism, {**SECRETS, "WORD": "wrong-but-secret"})
    with caplog.at_level(logging.DEBUG), pytest.raises(SinkFailed, match="refuse the credentials") as caught:
        await stream.send(predictions(1), PREDICTIONS)
    await stream.close()
    assert caught.value.reason == "refused"
    told = f"{caught.value}{caplog.text}{''.join(capfd.readouterr())}"
    assert "wrong-but-secret" not in told
    assert USER not in told


async def test_a_user_who_may_not_write_to_the_topic(kafka: Broker) -> None:
    topic = kafka.create("guarded")
    kafka.allow("somebody-else", topic)
    stream = _stream(kafka, topic, SASL, "SCRAM-SHA-512")
    with pytest.raises(SinkFailed, match="may not write to guarded: allow it Write and Describe there") as caught:
        await stream.send(predictions(5), PREDICTIONS)
    assert caught.value.reason == "refused"
    kafka.allow(USER, topic)
    assert await stream.send(predictions(5), PREDICTIONS) == 5
    await stream.close()


async def test_a_broker_of_another_authority(kafka: Broker, tmp_path: Path) -> None:
    write(tmp_path / "pki", [])
    await _refused(_stream(kafka, "any", TLS, "PLAIN", ca=str(tmp_path / "pki" / "ca.crt")))


async def test_a_broker_of_another_name(kafka: Broker) -> None:
    by_name = kafka.address(TLS).replace("127.0.0.1", "localhost")
    config = KafkaSink.model_validate({"brokers": [by_name], "topic": "any", "tls": {"ca": str(kafka.ca)}})
    await _refused(KafkaStream("stream", config))


async def _refused(stream: KafkaStream) -> None:
    with pytest.raises(SinkFailed, match=r"TLS to the brokers failed: check tls\.ca") as caught:
        await stream.send(predictions(1), PREDICTIONS)
    await stream.close()
    assert caught.value.reason == "refused"


async def test_certificates_that_are_not_there(kafka: Broker) -> None:
    stream = _stream(kafka, "any", TLS, "PLAIN", ca="/no/such/ca.crt")
    with pytest.raises(SinkFailed, match=r"cannot use tls\.ca, /no/such/ca\.crt"):
        await stream.send(predictions(1), PREDICTIONS)
    await stream.close()


async def test_a_port_that_speaks_another_language(kafka: Broker) -> None:
    """Plain text to TLS, and TLS to plain text."""
    plain = KafkaSink.model_validate({"brokers": [kafka.address(TLS)], "topic": "any"})
    sealed = KafkaSink.model_validate({"brokers": [kafka.address(OPEN)], "topic": "any", "tls": {}})
    for config in (plain, sealed):
        stream = KafkaStream("stream", config, timeout=2.0)
        with pytest.raises(SinkFailed, match="whether that port wants TLS or SASL") as caught:
            await stream.send(predictions(1), PREDICTIONS)
        await stream.close()
        assert caught.value.reason == "unreachable"


async def test_a_secret_that_is_not_set(kafka: Broker) -> None:
    """It fails this sink, not the shipper."""
    stream = _stream(kafka, "any", SASL, "PLAIN", {"NAME": USER})
    with pytest.raises(SinkFailed, match=r"kafka\.sasl\.passwordEnv: the variable WORD is not set: check its Secret"):
        await stream.send(predictions(1), PREDICTIONS)
    await stream.close()


def _stream(
    kafka: Broker,
    topic: str,
    listener: str,
    mechanism: str,
    environment: dict[str, str] | None = None,
    ca: str | None = None,
) -> KafkaStream:
    told: dict[str, object] = {"brokers": [kafka.address(listener)], "topic": topic}
    told["sasl"] = {"mechanism": mechanism, "usernameEnv": "NAME", "passwordEnv": "WORD"}
    if listener == TLS:
        told["tls"] = {"ca": ca or str(kafka.ca)}
    return KafkaStream("stream", KafkaSink.model_validate(told), SECRETS if environment is None else environment)
