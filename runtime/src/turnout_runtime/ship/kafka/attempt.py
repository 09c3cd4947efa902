"""Rows on their way to the brokers, and what came of them."""

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from turnout_runtime.ship.kafka import messages
from turnout_runtime.ship.kafka.settings import CA, Setting
from turnout_runtime.ship.sink import SinkFailed


class Line:
    """A producer, and the newest trouble of its connections since the last attempt began."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        """Raises `SinkFailed` when librdkafka refuses a setting, as for a file of certificates that is not there."""
        self.trouble: KafkaError | None = None
        try:
            self.producer = Producer({**settings, "error_cb": self._hear})
        except KafkaException as error:
            what = f"tls.ca, {settings[CA]}," if CA in settings else "the sink's settings"
            raise SinkFailed("failed", f"cannot use {what} for Kafka: {error.args[0].str()}") from error

    def _hear(self, error: KafkaError) -> None:
        if self.trouble is None or error.code() != KafkaError._ALL_BROKERS_DOWN:  # which says less than the one before
            self.trouble = error

    def drop(self) -> None:
        """Give up what is on its way; nothing of it arrives after this."""
        self.producer.purge()
        del self.producer  # which holds this one, for its errors: without that its threads would live on


class Attempt:
    """Some rows, sent once to `topic`; `failed` has each error with its row."""

    def __init__(self, line: Line, topic: str) -> None:
        self.line, self.topic = line, topic
        self.waiting = self.acknowledged = 0
        self.failed: list[tuple[KafkaError, bytes]] = []
        line.producer.poll(0)
        line.trouble = None

    def offer(self, message: messages.Message) -> bool:
        """Hand over a message; False when there is no room for it until others are acknowledged."""
        value, key, headers = message
        try:
            self.line.producer.produce(self.topic, value, key, headers=headers, on_delivery=self._settled)
        except BufferError:
            return False
        except KafkaException as error:
            self.failed.append((error.args[0], value))
            return True
        self.waiting += 1
        return True

    def wait(self, seconds: float) -> None:
        """Until something was settled, at most so long."""
        self.line.producer.poll(seconds)

    def _settled(self, error: KafkaError | None, message: Message) -> None:
        self.waiting -= 1
        if error is None:
            self.acknowledged += 1
            return
        self.failed.append((error, message.value() or b""))
