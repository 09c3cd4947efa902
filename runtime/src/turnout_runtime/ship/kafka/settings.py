"""What librdkafka is told. Pure."""

from collections.abc import Mapping

from turnout_runtime.config.part import from_env
from turnout_runtime.config.ship import KafkaSink

Setting = str | int | bool
CA = "ssl.ca.location"
QUEUE_KIB = 16 * 1024  # rows that wait within librdkafka: the sink's bound of memory
_LARGEST_ROW = 64 * 1024**2  # what is too large is the topic's to say
_TOPIC_MS = 5_000  # after which a topic that no broker knows is missing


def settings(config: KafkaSink, environment: Mapping[str, str]) -> dict[str, Setting]:
    """librdkafka's settings for a sink; raises `ConfigInvalid` when a secret's variable is not set.

    Keys go to partitions as with Java's producers (murmur2), so that a join of topics by key needs no repartitioning.
    """
    return {
        "bootstrap.servers": ",".join(config.brokers),
        "client.id": "turnout-log",
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "compression.type": config.compression,
        "message.max.bytes": _LARGEST_ROW,
        "queue.buffering.max.kbytes": QUEUE_KIB,
        "topic.metadata.propagation.max.ms": _TOPIC_MS,
        "reconnect.backoff.max.ms": 2_000,
        "log_level": 2,
        "log.connection.close": False,
        **_security(config, environment),
    }


def bounds(batch_bytes: int, timeout: float) -> dict[str, Setting]:
    """The bytes of one request to a partition, and the seconds in which its rows must be acknowledged."""
    return {"batch.size": batch_bytes, "message.timeout.ms": int(timeout * 1e3)}


def _security(config: KafkaSink, environment: Mapping[str, str]) -> dict[str, Setting]:
    transport = "PLAINTEXT" if config.tls is None else "SSL"
    chosen: dict[str, Setting] = {}
    if config.tls is not None and config.tls.ca is not None:
        chosen[CA] = str(config.tls.ca)
    if config.sasl is None:
        return {"security.protocol": transport, **chosen}
    field = "kafka.sasl"
    return {
        "security.protocol": f"SASL_{transport}",
        "sasl.mechanism": config.sasl.mechanism,
        "sasl.username": from_env(f"{field}.usernameEnv", config.sasl.username_env, environment),
        "sasl.password": from_env(f"{field}.passwordEnv", config.sasl.password_env, environment),
        **chosen,
    }
