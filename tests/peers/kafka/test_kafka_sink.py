"""Rows to a real Kafka: what arrives, and what a broker may refuse."""

from collections import defaultdict

import pytest
from tests.peers.kafka.broker import Broker
from tests.peers.kafka.rows import FEEDBACK, PREDICTIONS, deliver, feedback, numbers, predictions

from turnout_runtime.config.ship import KafkaSink
from turnout_runtime.ship.kafka.stream import KafkaStream
from turnout_runtime.ship.sink import SinkFailed


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd"])
async def test_rows_are_messages_with_key_and_record_id(kafka: Broker, compression: str) -> None:
    topic, rows = kafka.create(f"arrive-{compression}"), predictions(500)
    stream = _stream(kafka, topic, compression=compression)
    assert await stream.send(rows, PREDICTIONS) == 500
    await stream.close()
    seen = kafka.read(topic)
    assert sorted(message.value + b"\n" for message in seen) == sorted(rows)
    assert {message.partition for message in seen} == {0, 1, 2}
    for message in seen:
        assert message.headers == {"kind": "prediction", "record_id": message.key}


async def test_feedback_is_in_order_beside_its_prediction(kafka: Broker) -> None:
    topic, labels = kafka.create("beside"), kafka.create("beside-labels")
    stream = _stream(kafka, topic, feedbackTopic=labels)
    await stream.send(predictions(50), PREDICTIONS)
    for _ in range(3):
        await stream.send(feedback(400, of=50), FEEDBACK)
    await stream.close()
    partitions = {message.key: message.partition for message in kafka.read(topic)}
    by_key = defaultdict(list)
    for message in kafka.read(labels):
        by_key[message.key].append(message)
        assert message.partition == partitions[message.key]
        assert message.headers["kind"] == "feedback"
    assert len(by_key) == 50
    for place, messages in enumerate(sorted(by_key.values(), key=lambda them: str(them[0].key))):
        assert numbers(messages) == 3 * list(range(place, 400, 50))


async def test_without_a_topic_of_its_own_feedback_is_with_the_predictions(kafka: Broker) -> None:
    topic = kafka.create("together")
    stream = _stream(kafka, topic)
    await stream.send(predictions(1), PREDICTIONS)
    await stream.send(feedback(1, of=1), FEEDBACK)
    await stream.close()
    kinds = {message.headers["kind"]: message.headers["record_id"] for message in kafka.read(topic)}
    assert kinds == {"prediction": "00000000-0000-0000-0000-000000000000", "feedback": "f-0"}


async def test_a_topic_that_is_not_there(kafka: Broker) -> None:
    stream = _stream(kafka, "nowhere")
    with pytest.raises(SinkFailed, match="there is no topic nowhere: create it") as caught:
        await stream.send(predictions(10), PREDICTIONS)
    assert caught.value.reason == "missing"
    kafka.create("nowhere")
    assert await stream.send(predictions(10), PREDICTIONS) == 10
    await stream.close()


async def test_what_is_too_large_for_the_topic_does_not_stop_the_others(
    kafka: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    topic, large = kafka.create("large"), predictions(1, begin=1000, ballast=3_000_000)
    stream = _stream(kafka, topic, compression="none")
    assert await stream.send(predictions(500) + large + predictions(500, begin=500), PREDICTIONS) == 1000
    await stream.close()
    assert sorted(numbers(kafka.read(topic))) == list(range(1000))
    assert "a row is larger than the topic takes: raise its max.message.bytes" in caplog.text


async def test_a_topic_that_takes_little_at_a_time_gets_small_requests(kafka: Broker) -> None:
    topic = kafka.create("little", partitions=1, max_message_bytes="5000")
    stream = _stream(kafka, topic, compression="none")
    rows = predictions(500) + predictions(1, begin=500, ballast=8_000)
    assert await stream.send(rows, PREDICTIONS) == 500
    assert await stream.send(predictions(500, begin=501), PREDICTIONS) == 500
    await stream.close()
    assert sorted(numbers(kafka.read(topic))) == [number for number in range(1001) if number != 500]


async def test_many_rows_wait_in_bounded_room(kafka: Broker) -> None:
    topic, rows = kafka.create("many"), predictions(40_000)
    stream = _stream(kafka, topic)
    assert await deliver(stream, rows) == 0
    await stream.close()
    assert sorted(numbers(kafka.read(topic))) == list(range(40_000))


def _stream(kafka: Broker, topic: str, **more: object) -> KafkaStream:
    told = {"brokers": [kafka.address()], "topic": topic, **more}
    return KafkaStream("stream", KafkaSink.model_validate(told))
