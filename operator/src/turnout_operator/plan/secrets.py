"""The names of the environment variables that carry secrets into the pod: those of fact sources and of the log.

A fact's name may hold any number of underscores, so every kind has a prefix that no other kind's name can have, and a
header is told by its number, which has none.
"""

from collections.abc import Iterator

from turnout_operator.api.facts import FactSource
from turnout_operator.api.pods import SecretKey

LOG_HASH_KEY_ENV = "TURNOUT_LOG_HASH_KEY"


def fact_url_env(fact: str) -> str:
    """Holds the URL of a Redis."""
    return f"TURNOUT_FACT_{fact.upper()}_URL"


def feast_env(fact: str) -> str:
    """Holds a feature_store.yaml."""
    return f"TURNOUT_FEAST_{fact.upper()}"


def header_env(fact: str, number: int) -> str:
    """Holds the value of the `number`-th header of a web service."""
    return f"TURNOUT_HEADER_{fact.upper()}_{number}"


def sink_env(sink: str, variable: str) -> str:
    """A variable of one sink of the log; with an empty name, the prefix of all of them."""
    return f"TURNOUT_LOG_{sink.upper().replace('-', '_')}_{variable}"


def fact_secrets(name: str, source: FactSource) -> Iterator[tuple[str, SecretKey]]:
    """Each variable of one fact source, and the key that it comes from."""
    if source.redis and source.redis.secret_ref:
        yield fact_url_env(name), source.redis.secret_ref
    if source.feast and source.feast.secret_ref:
        yield feast_env(name), source.feast.secret_ref
    for number, header in enumerate(source.http.headers if source.http else ()):
        if header.secret_ref:
            yield header_env(name, number), header.secret_ref
