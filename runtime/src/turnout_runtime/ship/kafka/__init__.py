"""The Kafka sink: rows as messages, at least once, in the order of their keys.

It stands on librdkafka (confluent-kafka): per row it takes a quarter of the CPU time of aiokafka, has every codec and
SASL mechanism within one wheel of 16 MB (aiokafka: 5 MB), and mends an idempotent producer's sequence by itself.
"""

from collections.abc import Mapping

from turnout_runtime.config.ship import KafkaSink
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.ship.sink import StreamSink


def kafka_stream(name: str, config: KafkaSink, environment: Mapping[str, str]) -> StreamSink:
    """The sink called `name`; raises `ConfigInvalid` where its library is not installed."""
    try:
        from turnout_runtime.ship.kafka.stream import KafkaStream
    except ImportError as error:
        raise ConfigInvalid(f"sink {name}: Kafka needs turnout-runtime[kafka]") from error
    return KafkaStream(name, config, environment)
