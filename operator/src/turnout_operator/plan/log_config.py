"""The prediction log in the configuration of the runtime and of the container that delivers it.

Both leave out what is not asked for; secrets are names of environment variables and paths of mounted files.
"""

from typing import Any

from turnout_operator.api.log_sinks import KafkaSink, LogSink, ObjectStoreSink
from turnout_operator.api.prediction_log import LogFlush, PredictionLog
from turnout_operator.plan.places import LOG_DIRECTORY, SHIPPER_PORT, kafka_ca, sink_folder
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.secrets import LOG_HASH_KEY_ENV, sink_env

Json = dict[str, Any]

_WHEN_FULL = {"DropOldest": "dropOldest", "DropNewest": "dropNewest"}


def log_config(log: PredictionLog) -> Json:
    """The part `predictionLog` of runtime.json."""
    return {
        "directory": LOG_DIRECTORY,
        "maxFileBytes": log.rotate.size.bytes,
        "maxFiles": log.rotate.keep,
        **_changed(_more(log), _more(PredictionLog())),
    }


def ship_config(revision: Revision) -> Json:
    """The content of `ship.json`."""
    log = revision.spec.prediction_log
    retention = log.retention
    kept = {
        "ageSeconds": retention.age.seconds if retention and retention.age else None,
        "bytes": retention.size.bytes if retention and retention.size else None,
    }
    config: Json = {
        "directory": LOG_DIRECTORY,
        "sinks": [_sink(sink) for sink in log.sinks],
        "port": SHIPPER_PORT,
    }
    return {**config, "retention": _given(kept)} if retention else config


def _more(log: PredictionLog) -> Json:
    flush = log.flush or LogFlush()
    return {
        "maxAgeSeconds": log.rotate.age.seconds,
        "flushSeconds": flush.interval.seconds,
        "sync": flush.sync,
        "whenFull": _WHEN_FULL[log.when_full],
        "enabled": log.enabled,
        "sample": log.sample.ratio,
        "redact": list(log.redact),
        "hash": {"fields": list(log.hash.fields), "keyEnv": LOG_HASH_KEY_ENV} if log.hash else None,
        "headers": list(log.headers),
        "shipped": bool(log.sinks),
    }


def _sink(sink: LogSink) -> Json:
    if sink.object_store:
        where: Json = {"objectStore": _object_store(sink.object_store)}
    elif sink.directory:
        where = {"directory": {"path": sink_folder(sink)}}
    elif sink.kafka:
        where = {"kafka": _kafka(sink.name, sink.kafka)}
    else:
        where = {"stdout": {}}
    return {"name": sink.name, **where}


def _object_store(store: ObjectStoreSink) -> Json:
    plain = True if store.endpoint and store.endpoint.startswith("http://") else None
    return _given({"uri": store.uri, "endpoint": store.endpoint, "region": store.region, "allowHttp": plain})


def _kafka(name: str, kafka: KafkaSink) -> Json:
    tls, sasl = kafka.tls, kafka.sasl
    known = sasl and {
        "mechanism": sasl.mechanism,
        "usernameEnv": sink_env(name, "USERNAME"),
        "passwordEnv": sink_env(name, "PASSWORD"),
    }
    return _given(
        {
            "brokers": list(kafka.brokers),
            "topic": kafka.topic,
            "feedbackTopic": kafka.feedback_topic,
            "tls": ({"ca": kafka_ca(name)} if tls.ca_secret_ref else {}) if tls else None,
            "sasl": known,
            "compression": kafka.compression if kafka.compression != "lz4" else None,
        }
    )


def _changed(fields: Json, plain: Json) -> Json:
    return {name: value for name, value in fields.items() if value != plain[name]}


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
