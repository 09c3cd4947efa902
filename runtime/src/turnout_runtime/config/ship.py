"""What `turnout log ship` is told: ship.json."""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from turnout_runtime.config.part import Name, Part
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.validation import describe

_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_BROKER = r"^[^/\s:]+:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$"
_VARIABLE = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Bytes = Annotated[int, Field(ge=1)]


class ObjectStoreSink(Part):
    """Parquet files below a prefix `s3://`, `gs://` or `az://`; credentials come from the environment."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az)://[^/\s?#@]+(/[^\s?#]*)?$")]
    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s@]+/?$")] | None = None
    region: Name | None = None
    allow_http: bool = True

    @model_validator(mode="after")
    def _only_what_is_allowed(self) -> "ObjectStoreSink":
        if not self.allow_http and self.endpoint is not None and self.endpoint.startswith("http://"):
            raise ValueError("endpoint is http://, which allowHttp: false forbids")
        if self.endpoint is not None and not self.uri.startswith("s3://"):
            raise ValueError("endpoint is for s3:// only")
        return self


class DirectorySink(Part):
    """Parquet files below a folder, which must be another one than the log's own."""

    path: Path


class KafkaTls(Part):
    """TLS to the brokers; `ca` is a file of certificates, else the system's are trusted."""

    ca: Path | None = None


class KafkaSasl(Part):
    """Who we are to the brokers; the variables hold the secrets."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    username_env: _VARIABLE
    password_env: _VARIABLE


class KafkaSink(Part):
    """Rows as messages; feedback goes to `feedback_topic`, or with the predictions where there is none."""

    brokers: Annotated[list[Annotated[str, Field(pattern=_BROKER)]], Field(min_length=1, max_length=32)]
    topic: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
    feedback_topic: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")] | None = None
    tls: KafkaTls | None = None
    sasl: KafkaSasl | None = None
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"


class StdoutSink(Part):
    """Rows as lines on the process's standard output."""


class SinkConfig(Part):
    """One sink: its name, and exactly one kind."""

    name: Annotated[str, Field(pattern=_LABEL)]
    object_store: ObjectStoreSink | None = None
    directory: DirectorySink | None = None
    kafka: KafkaSink | None = None
    stdout: StdoutSink | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "SinkConfig":
        if sum(kind is not None for kind in (self.object_store, self.directory, self.kafka, self.stdout)) != 1:
            raise ValueError("give one of objectStore, directory, kafka, stdout")
        return self

    @property
    def prefix(self) -> str:
        """Before the names of variables that are for this sink only: TURNOUT_LOG_MY_LAKE_AWS_ACCESS_KEY_ID."""
        return f"TURNOUT_LOG_{re.sub('[^A-Z0-9]', '_', self.name.upper())}_"

    def environment(self, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The variables that are for this sink only, under the names that its library knows."""
        begin = self.prefix
        return {name.removeprefix(begin): value for name, value in environment.items() if name.startswith(begin)}


class Retention(Part):
    """How much is kept at the sinks that have files: seconds since a partition's end, and bytes in all."""

    age_seconds: Annotated[int, Field(ge=3600)] | None = None
    bytes: _Bytes | None = None


def _pod() -> str:
    return os.environ.get("POD_NAME") or socket.gethostname()


class ShipConfig(Part):
    """All that a shipper is told."""

    directory: Path
    pod: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$")] = Field(
        default_factory=_pod
    )
    sinks: Annotated[list[SinkConfig], Field(min_length=1, max_length=8)]
    retention: Retention = Retention()
    port: Annotated[int, Field(ge=0, le=65535)] = 9092

    @field_validator("sinks")
    @classmethod
    def _names_differ(cls, sinks: list[SinkConfig]) -> list[SinkConfig]:
        if len({sink.name for sink in sinks}) < len(sinks):
            raise ValueError("two sinks have the same name")
        return sinks

    @model_validator(mode="after")
    def _not_into_itself(self) -> "ShipConfig":
        for sink in self.sinks:
            if sink.directory and self.directory.absolute() in (path := sink.directory.path.absolute(), *path.parents):
                raise ValueError(f"sinks: {sink.name}: its directory is inside the log's own: give another")
        return self


def load_ship(path: Path) -> ShipConfig:
    """Read and check ship.json; raises `ConfigInvalid` that names the field, never its value."""
    try:
        return ShipConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"cannot read the configuration {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigInvalid(f"{path}: {describe(error)}") from error
