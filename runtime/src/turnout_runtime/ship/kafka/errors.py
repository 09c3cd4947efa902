"""What librdkafka's errors mean to whoever runs the pod: a word for a metric, and what to do. Pure."""

from confluent_kafka import KafkaError

from turnout_runtime.ship.sink import SinkFailed

_REACH = (
    "unreachable",
    "cannot reach the brokers: check their addresses, the network, and whether that port wants TLS or SASL",
)
_REFUSED = ("refused", "the brokers refuse the credentials: check sasl.mechanism and the Secret")
_RIGHTS = (
    "refused",
    "the user may not write to {topic}: allow it Write and Describe there",
)
_TLS = ("refused", "TLS to the brokers failed: check tls.ca, the brokers' names, and that the port speaks TLS")
_MISSING = ("missing", "there is no topic {topic}: create it, or correct the sink's topic")
_LATE = (
    "timeout",
    "the brokers did not acknowledge in time: look at their load, and whether {topic} has its replicas",
)
_KNOWN: dict[int, tuple[str, str]] = {
    KafkaError._ALL_BROKERS_DOWN: _REACH,
    KafkaError._TRANSPORT: _REACH,
    KafkaError._RESOLVE: _REACH,
    KafkaError._AUTHENTICATION: _REFUSED,
    KafkaError.SASL_AUTHENTICATION_FAILED: _REFUSED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM: _REFUSED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError._SSL: _TLS,
    KafkaError._UNKNOWN_TOPIC: _MISSING,
    KafkaError._UNKNOWN_PARTITION: _MISSING,
    KafkaError.UNKNOWN_TOPIC_OR_PART: _MISSING,
    KafkaError._MSG_TIMED_OUT: _LATE,
    KafkaError._TIMED_OUT: _LATE,
    KafkaError.NOT_ENOUGH_REPLICAS: _LATE,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND: _LATE,
}
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_HOPELESS = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED})


def too_large(error: KafkaError) -> bool:
    """Whether the topic will never take these bytes in one request."""
    return error.code() in _TOO_LARGE


def hopeless(error: KafkaError) -> bool:
    """Whether waiting is in vain: somebody has to change something."""
    return error.code() in _HOPELESS


def failure(error: KafkaError, trouble: KafkaError | None, topic: str) -> SinkFailed:
    """The failure for an error of a row; `trouble` of the connections explains why a row is late."""
    cause = trouble if trouble is not None and _KNOWN.get(error.code()) == _LATE else error
    reason, remedy = _KNOWN.get(cause.code(), ("answered", "the brokers answered with an error of their own"))
    return SinkFailed(reason, f"{remedy.format(topic=topic)} ({cause.str()})")
