"""What a consumer reads of a topic."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition


@dataclass(frozen=True)
class Seen:
    """A message as a consumer reads it."""

    partition: int
    key: str | None
    value: bytes
    headers: Mapping[str, str]


def read(address: str, topic: str) -> list[Seen]:
    """All messages, each partition in its order."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "tests", "enable.partition.eof": True})
    try:
        partitions = list(consumer.list_topics(topic, 30).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        return list(_all(consumer, len(partitions)))
    finally:
        consumer.close()


def _all(consumer: Consumer, partitions: int) -> Iterator[Seen]:
    ended: set[int | None] = set()
    while len(ended) < partitions:
        message = consumer.poll(30)
        assert message is not None, "the broker says nothing more"
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended.add(message.partition())
            continue
        key, value = message.key(), message.value()
        assert isinstance(value, bytes)
        headers = {name: bytes(said).decode() for name, said in message.headers() or []}
        yield Seen(message.partition() or 0, bytes(key).decode() if key else None, value, headers)
