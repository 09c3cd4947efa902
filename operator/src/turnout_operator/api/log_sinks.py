"""Where the prediction log is delivered. Secrets come by reference only."""

from operator import attrgetter
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.meta import LABEL, SpecModel, one_of
from turnout_operator.api.pods import SecretKey, SecretName, SecretRef
from turnout_operator.api.schema import Rule, matches

_FOLDER = r"[A-Za-z0-9_-][A-Za-z0-9._=-]*"

SINK_NAME_RULE = matches(
    LABEL, "a sink's name has up to 32 characters of a-z, 0-9 and -, starting and ending with a letter or digit"
)
STORE_URI_RULE = matches(
    r"(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]*(/[^\s?#/]+)*/?",
    "objectStore.uri must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
)
ENDPOINT_RULE = matches(
    r"https?://[^/@\s?#]+/?", "objectStore.endpoint must be http(s)://HOST[:PORT] without user or password"
)
S3_RULE = Rule(
    "self.uri.startsWith('s3://') || (!has(self.endpoint) && !has(self.region))",
    "objectStore.endpoint and region are for s3: remove them, or use an s3:// URI",
    lambda store: store.uri.startswith("s3://") or (store.endpoint is None and store.region is None),
    reason="FieldValueForbidden",
)
FOLDER_RULE = matches(
    rf"{_FOLDER}(/{_FOLDER})*/?", "directory.path must be a folder in the claim such as predictions, without .."
)
BROKER_RULE = matches(r"[A-Za-z0-9._-]+:[0-9]{1,5}", "kafka.brokers are HOST:PORT, for example kafka-0.kafka.svc:9092")
TOPIC_RULE = matches(r"[A-Za-z0-9._-]+", "a Kafka topic's name has letters, digits, dots, underscores and - only")


class ClaimRef(SpecModel):
    """A PersistentVolumeClaim in the object's namespace."""

    claim_name: SecretName
    """Name of the claim."""


class ObjectStoreSink(SpecModel):
    """Parquet files in an object store: each row exactly once, by objective and hour."""

    RULES: ClassVar = (S3_RULE,)

    uri: Annotated[str, Field(max_length=2048), STORE_URI_RULE]
    """The root: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX. predictions/ and feedback/ are made
    below it."""
    endpoint: Annotated[str, Field(max_length=2048), ENDPOINT_RULE] | None = None
    """Address of an S3-compatible store, http(s)://HOST[:PORT]. When absent: Amazon's, or AWS_ENDPOINT_URL of the
    Secret."""
    region: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Region of the bucket. When absent: AWS_REGION of the Secret, or us-east-1."""
    secret_ref: SecretRef | None = None
    """The Secret in the same namespace whose keys are the object store's variables, such as AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY. When absent: what the node grants to its pods."""


class DirectorySink(SpecModel):
    """Parquet files on a volume: each row exactly once, by objective and hour."""

    persistent_volume_claim: ClaimRef
    """The claim to write to. With pods on several nodes it must be ReadWriteMany."""
    path: Annotated[str, Field(max_length=1024), FOLDER_RULE] | None = None
    """The root, a folder in the claim. predictions/ and feedback/ are made below it. When absent: the claim's own
    root."""


class KafkaTls(SpecModel):
    """TLS to the brokers."""

    ca_secret_ref: SecretKey | None = None
    """The key of a Secret in the same namespace that holds the brokers' authority, PEM. When absent: the public
    ones."""


class KafkaSasl(SpecModel):
    """How the brokers know the pods."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    """The mechanism that the brokers offer: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    secret_ref: SecretRef
    """The Secret in the same namespace with the keys username and password."""


class KafkaSink(SpecModel):
    """JSON messages in Kafka: each row at least once; the header record_id tells one that came again."""

    brokers: Annotated[list[Annotated[str, Field(max_length=260), BROKER_RULE]], Field(min_length=1, max_length=16)]
    """Brokers to begin with, 1 to 16, each as HOST:PORT."""
    topic: Annotated[str, Field(min_length=1, max_length=249), TOPIC_RULE]
    """Topic of the predictions."""
    feedback_topic: Annotated[str, Field(min_length=1, max_length=249), TOPIC_RULE] | None = None
    """Topic of the feedback. When absent: that of the predictions."""
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    """How batches of messages are compressed. Default: lz4."""
    tls: KafkaTls | None = None
    """TLS to the brokers. When absent: plain connections."""
    sasl: KafkaSasl | None = None
    """How the brokers know the pods. When absent: they don't ask."""


class StdoutSink(SpecModel):
    """JSON lines on the output of the pods' container log, for a collector of the cluster: each row at least once."""


class LogSink(SpecModel):
    """One place that every row of the log is delivered to."""

    RULES: ClassVar = (
        one_of(
            {
                "objectStore": attrgetter("object_store"),
                "directory": attrgetter("directory"),
                "kafka": attrgetter("kafka"),
                "stdout": attrgetter("stdout"),
            },
            "give exactly one of objectStore, directory, kafka and stdout for a sink",
        ),
    )

    name: Annotated[str, Field(max_length=32), SINK_NAME_RULE]
    """Name of the sink in conditions and metrics; up to 32 characters of a-z, 0-9 and -."""
    object_store: ObjectStoreSink | None = None
    """Parquet files in an object store. Exactly one of objectStore, directory, kafka and stdout is given."""
    directory: DirectorySink | None = None
    """Parquet files on a volume. Exactly one of objectStore, directory, kafka and stdout is given."""
    kafka: KafkaSink | None = None
    """JSON messages in Kafka. Exactly one of objectStore, directory, kafka and stdout is given."""
    stdout: StdoutSink | None = None
    """JSON lines on the container's output, {}. Exactly one of objectStore, directory, kafka and stdout is given."""

    @property
    def keeps_files(self) -> bool:
        """Whether the sink keeps Parquet files, which retention can delete."""
        return self.object_store is not None or self.directory is not None
