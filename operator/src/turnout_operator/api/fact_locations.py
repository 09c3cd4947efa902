"""The kinds of fact sources. Secrets come by reference only."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from turnout_operator.api.meta import SpecModel, one_of
from turnout_operator.api.pods import SecretKey
from turnout_operator.api.schema import ListMap, Rule, matches

REDIS_URL_RULE = matches(r"rediss?://\S+", "redis.url must be redis://HOST[:PORT][/DB], or rediss:// for TLS")
REDIS_PASSWORD_RULE = Rule(
    "!self.contains('@')",
    "redis.url must hold no user or password, since it is stored as plain text: put the URL in a Secret and use"
    " redis.secretRef",
    lambda url: "@" not in url,
    reason="FieldValueForbidden",
)
HTTP_URL_RULE = matches(
    r"https?://[^@\s]+",
    "http.url must be http(s)://HOST/PATH without user or password: put those in a Secret and use http.headers",
)
HTTP_KEY_RULE = Rule(
    "self.contains('{key}')",
    "http.url needs {key} where the fact's key goes, for example http://weather/v1/{key}",
    lambda url: "{key}" in url,
)
HEADER_NAME_RULE = matches(
    r"[a-z0-9-]+", "a header's name has lower-case letters, digits and - only, for example authorization"
)


class RedisFacts(SpecModel):
    """Facts in a Redis, one a key."""

    RULES: ClassVar = (
        one_of(
            {"url": lambda redis: redis.url, "secretRef": lambda redis: redis.secret_ref},
            "give exactly one of redis.url and redis.secretRef",
        ),
    )

    url: Annotated[str, Field(max_length=2048), REDIS_URL_RULE, REDIS_PASSWORD_RULE] | None = None
    """Address of the Redis, redis://HOST[:PORT][/DB] or rediss:// for TLS, without password. Exactly one of url and
    secretRef is given."""
    secret_ref: SecretKey | None = None
    """The key of a Secret in the same namespace that holds the URL, password included. Exactly one of url and
    secretRef is given."""
    key_prefix: Annotated[str, Field(max_length=253)] = ""
    """Put before every key that the workflow asks for, for example "weather:". Empty by default."""
    encoding: Literal["json", "float32"] = "json"
    """What a key holds: json, a JSON object; or float32, a precomputed vector as packed little-endian float32, which
    the workflow gets as {"vector": [...]}. Default: json."""


class HttpHeader(SpecModel):
    """A header of every fetch: a value, or a reference to one."""

    RULES: ClassVar = (
        one_of(
            {"value": lambda header: header.value, "secretRef": lambda header: header.secret_ref},
            "give exactly one of value and secretRef for a header",
        ),
    )

    name: Annotated[str, Field(max_length=128), HEADER_NAME_RULE]
    """Name of the header in lower case, for example authorization."""
    value: Annotated[str, Field(max_length=4096)] | None = None
    """The value as written; nothing secret. Exactly one of value and secretRef is given."""
    secret_ref: SecretKey | None = None
    """The key of a Secret in the same namespace that holds the value. Exactly one of value and secretRef is given."""


class HttpFacts(SpecModel):
    """Facts of a web service: a GET answers with a JSON object, and 404 means that there is none."""

    url: Annotated[str, Field(max_length=2048), HTTP_URL_RULE, HTTP_KEY_RULE]
    """The URL with {key} in it, for example http://weather.data.svc/v1/{key}; the key is percent-encoded."""
    headers: Annotated[list[HttpHeader], Field(max_length=16), ListMap("name")] = Field(default_factory=list)
    """Headers of every fetch, at most 16. None by default."""
    max_connections: Annotated[int, Field(ge=1, le=1024)] = 32
    """Connections of one pod to the service, 1 to 1024. Default: 32."""


class FeastFacts(SpecModel):
    """Features of a Feast online store; needs a runtime image with Feast."""

    RULES: ClassVar = (
        one_of(
            {"config": lambda feast: feast.config, "secretRef": lambda feast: feast.secret_ref},
            "give exactly one of feast.config and feast.secretRef",
        ),
    )

    config: Annotated[str, Field(min_length=1, max_length=65_536)] | None = None
    """The text of a feature_store.yaml without passwords. Exactly one of config and secretRef is given."""
    secret_ref: SecretKey | None = None
    """The key of a Secret in the same namespace that holds the feature_store.yaml. Exactly one of config and secretRef
    is given."""
    features: Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(min_length=1, max_length=256)]
    """Features to read, 1 to 256, each as view:feature."""
    join_key: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the entity's join key, whose value is the fact's key."""


class CallerFacts(SpecModel):
    """A fact that the caller sends in the request's feature_refs."""

    field: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Its name in feature_refs. When absent: the fact's own name."""


class PluginFacts(SpecModel):
    """A source that an installed package offers under the entry point group turnout.facts."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the entry point."""
    options: Annotated[dict[str, JsonValue], Field(max_length=256)] = Field(default_factory=dict)
    """Any object, given to the source as it is; nothing secret: that goes into runtime.env. Empty by default."""
