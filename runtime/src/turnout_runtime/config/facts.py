"""Where facts come from, and what stands in for one that does not come."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from turnout_runtime.config.part import Entries, Name, Part, Seconds, Timeout, from_env
from turnout_runtime.errors import ConfigInvalid

_HEADER = re.compile(r"[ -~\t]*")
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class RedisLocation(Part):
    """A Redis server: its URL, or the environment variable that holds it.

    `json`: each key holds a JSON object. `float32`: each key holds a precomputed vector as packed little-endian
    float32; the fact is `{"vector": [...]}`.
    """

    url: str | None = None
    url_from_env: Name | None = None
    key_prefix: str = ""
    encoding: Literal["json", "float32"] = "json"

    @model_validator(mode="after")
    def _one_of_both(self) -> "RedisLocation":
        if (self.url is None) == (self.url_from_env is None):
            raise ValueError("give exactly one of url and urlFromEnv")
        return self

    def resolve(self, field: str) -> str:
        """The URL, with its secrets; raises `ConfigInvalid` naming `field`."""
        return self.url or from_env(field, self.url_from_env or "").strip()


class HttpLocation(Part):
    """GET of a URL with `{key}` in it, percent-encoded; the answer is a JSON object, and 404 means no such key.

    `headers_from_env` names variables that hold header values, such as Authorization.
    """

    url: Annotated[str, Field(pattern=r"^https?://[^@\s]+$")]
    headers: dict[HeaderName, str] = Field(default_factory=dict)
    headers_from_env: dict[HeaderName, Name] = Field(default_factory=dict)
    max_connections: Annotated[int, Field(ge=1, le=1024)] = 32

    @model_validator(mode="after")
    def _key(self) -> "HttpLocation":
        if "{key}" not in self.url:
            raise ValueError("url needs {key} where the key goes")
        if "{key}" in self.url.split("/", 3)[2]:
            raise ValueError("url must have {key} behind the host: keys come from callers")
        return self

    def resolve(self, field: str) -> dict[str, str]:
        """All headers, with their secrets; raises `ConfigInvalid` naming `field`."""
        secret = {header: from_env(field, variable).strip() for header, variable in self.headers_from_env.items()}
        headers = {**self.headers, **secret}
        for header, value in headers.items():
            if not _HEADER.fullmatch(value):
                raise ConfigInvalid(f"{field}: the header {header} holds a line break or other control characters")
        return headers


class FeastLocation(Part):
    """Features of a Feast feature store's online store: `config` is its feature_store.yaml, or the variable with it."""

    config: str | None = None
    config_from_env: Name | None = None
    features: Annotated[list[str], Field(min_length=1)]
    join_key: Name

    @model_validator(mode="after")
    def _one_of_both(self) -> "FeastLocation":
        if (self.config is None) == (self.config_from_env is None):
            raise ValueError("give exactly one of config and configFromEnv")
        return self

    def resolve(self, field: str) -> str:
        """The text of feature_store.yaml, with its secrets; raises `ConfigInvalid` naming `field`."""
        return self.config or from_env(field, self.config_from_env or "")


class CallerLocation(Part):
    """The caller sends the value: an object in the request's feature_refs, under the fact's name or `field`."""

    field: Name | None = None


class PluginLocation(Part):
    """A source that an installed package offers under the entry point group `turnout.facts`."""

    name: Name
    options: dict[str, Any] = Field(default_factory=dict)


class FactCache(Part):
    """Values remembered in the pod: fresh for `ttl_seconds`, after an error usable `stale_if_error_seconds` more."""

    ttl_seconds: Timeout
    stale_if_error_seconds: Seconds = 0.0
    max_entries: Entries = 10_000


class Breaker(Part):
    """After `failures` in a row the source is left alone; every `reset_seconds` one fetch tries it again."""

    failures: Annotated[int, Field(ge=1, le=10_000)] = 5
    reset_seconds: Timeout = 1.0


_KINDS = ("redis", "http", "feast", "caller", "plugin")


class FactConfig(Part):
    """One fact: its source (exactly one kind), its deadline in seconds, and what stands in for it.

    `timestamp_field` names the field of the value that says when it was observed (RFC 3339, or seconds since 1970).
    """

    redis: RedisLocation | None = None
    http: HttpLocation | None = None
    feast: FeastLocation | None = None
    caller: CallerLocation | None = None
    plugin: PluginLocation | None = None
    timeout_seconds: Timeout
    fallback: dict[str, Any] | None = None
    cache: FactCache | None = None
    breaker: Breaker | None = Breaker()
    timestamp_field: Name | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "FactConfig":
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(_KINDS)}")
        return self
