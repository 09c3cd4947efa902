"""The Kafka sink: rows as messages, at least once, in the order of their keys.

It stands on librdkafka (confluent-kafka): per row it takes a quarter of the CPU time of aiokafka, has every codec and
SASL mechanism within one wheel of 16 MB (aiokafka: 5 MB), and mends an idempotent producer's sequence by itself.
"""

from turnout_runtime.ship.kafka.stream import KafkaStream

__all__ = ["KafkaStream"]
