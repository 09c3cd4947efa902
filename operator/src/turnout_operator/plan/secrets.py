"""The names of the environment variables that carry a fact source's secrets into the pod.

A fact's name may hold any number of underscores, so every kind has a prefix that no other kind's name can have, and a
header is told by its number, which has none.
"""

from collections.abc import Iterator

from turnout_operator.api.facts import FactSource
from turnout_operator.api.pods import SecretKey


def fact_url_env(fact: str) -> str:
    """Holds the URL of a Redis."""
    return f"TURNOUT_FACT_{fact.upper()}_URL"


def feast_env(fact: str) -> str:
    """Holds a feature_store.yaml."""
    return f"TURNOUT_FEAST_{fact.upper()}"


def header_env(fact: str, number: int) -> str:
    """Holds the value of the `number`-th header of a web service."""
    return f"TURNOUT_HEADER_{fact.upper()}_{number}"


def fact_secrets(name: str, source: FactSource) -> Iterator[tuple[str, SecretKey]]:
    """Each variable of one fact source, and the key that it comes from."""
    if source.redis and source.redis.secret_ref:
        yield fact_url_env(name), source.redis.secret_ref
    if source.feast and source.feast.secret_ref:
        yield feast_env(name), source.feast.secret_ref
    for number, header in enumerate(source.http.headers if source.http else ()):
        if header.secret_ref:
            yield header_env(name, number), header.secret_ref
