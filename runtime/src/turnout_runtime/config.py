"""The runtime's configuration file, as the operator renders it for one revision."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from turnout_runtime.bundle.digest import PATTERN
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.validation import describe

Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Timeout = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=253)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True)


class BundleSource(_Part):
    """Where the bundle comes from; `path` is its mounted file or folder, None for http(s)."""

    uri: Annotated[str, Field(pattern=r"^(configmap|pvc|https?)://.+")]
    digest: Annotated[str, Field(pattern=f"^{PATTERN.pattern}$")]
    path: Path | None

    @model_validator(mode="after")
    def _path_or_url(self) -> "BundleSource":
        if (self.path is None) != self.uri.startswith("http"):
            raise ValueError("path is needed for a mounted bundle, and only for one")
        return self


class Serving(_Part):
    """Limits of one pod; times in seconds."""

    concurrency: Annotated[int, Field(ge=1, le=1024)]
    max_queue_depth: Annotated[int, Field(ge=0)]
    max_queue_wait_seconds: Seconds
    timeout_seconds: Timeout
    drain_seconds: Seconds


class RedisLocation(_Part):
    """A Redis server: its URL, or the environment variable that holds it."""

    url: str | None = None
    url_from_env: Name | None = None
    key_prefix: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> "RedisLocation":
        if (self.url is None) == (self.url_from_env is None):
            raise ValueError("give exactly one of url and urlFromEnv")
        return self


class FactConfig(_Part):
    """One fact source, its deadline in seconds, and what stands in for it."""

    redis: RedisLocation
    timeout_seconds: Timeout
    fallback: dict[str, Any] | None = None


class PredictionLog(_Part):
    """Where prediction records go, and the bounds of what they occupy."""

    directory: Path
    max_file_bytes: Annotated[int, Field(ge=1)]
    max_files: Annotated[int, Field(ge=1)]


class RuntimeConfig(_Part):
    """All that a pod is told."""

    namespace: Name
    model_deployment: Name
    revision: Name
    bundle: BundleSource
    serving: Serving
    facts: dict[str, FactConfig] = Field(default_factory=dict)
    prediction_log: PredictionLog


def load(path: Path) -> RuntimeConfig:
    """Read and check the configuration; raises `ConfigInvalid` that names the field, never its value."""
    try:
        return RuntimeConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"cannot read the configuration {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigInvalid(f"{path}: {describe(error)}") from error


def redis_url(name: str, location: RedisLocation, environment: Mapping[str, str] = os.environ) -> str:
    """The URL of a fact's Redis; raises `ConfigInvalid` when the variable that should hold it is not set."""
    if location.url is not None:
        return location.url
    url = environment.get(location.url_from_env or "")
    if not url:
        raise ConfigInvalid(f"facts.{name}.redis: the variable {location.url_from_env} is not set: check its Secret")
    return url
