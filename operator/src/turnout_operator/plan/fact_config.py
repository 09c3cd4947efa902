"""One fact source as the runtime reads it: secrets are names of environment variables."""

from typing import Any

from turnout_operator.api.fact_locations import FeastFacts, HttpFacts, RedisFacts
from turnout_operator.api.facts import Breaker, FactCache, FactSource
from turnout_operator.plan.secrets import fact_url_env, feast_env, header_env

Json = dict[str, Any]


def fact_config(name: str, source: FactSource) -> Json:
    """The entry of `facts` in runtime.json."""
    more: Json = {}
    if source.cache:
        more["cache"] = _cache(source.cache)
    if source.breaker:
        more["breaker"] = _breaker(source.breaker)
    if source.timestamp_field:
        more["timestampField"] = source.timestamp_field
    timing = {"timeoutSeconds": source.timeout.seconds, "fallback": source.fallback}
    return {**_location(name, source), **timing, **more}


def _location(name: str, source: FactSource) -> Json:
    if source.redis:
        return {"redis": _redis(name, source.redis)}
    if source.http:
        return {"http": _http(name, source.http)}
    if source.feast:
        return {"feast": _feast(name, source.feast)}
    if source.plugin:
        return {"plugin": {"name": source.plugin.name, "options": source.plugin.options}}
    field = source.caller.field if source.caller else None
    return {"caller": {"field": field} if field else {}}


def _redis(name: str, redis: RedisFacts) -> Json:
    return {
        "url": redis.url,
        "urlFromEnv": fact_url_env(name) if redis.secret_ref else None,
        "keyPrefix": redis.key_prefix,
        **({"encoding": redis.encoding} if redis.encoding != "json" else {}),
    }


def _http(name: str, http: HttpFacts) -> Json:
    secret = {header.name: header_env(name, n) for n, header in enumerate(http.headers) if header.secret_ref}
    plain = {header.name: header.value for header in http.headers if not header.secret_ref}
    return {"url": http.url, "headers": plain, "headersFromEnv": secret, "maxConnections": http.max_connections}


def _feast(name: str, feast: FeastFacts) -> Json:
    config = {"configFromEnv": feast_env(name)} if feast.secret_ref else {"config": feast.config}
    return {**config, "features": list(feast.features), "joinKey": feast.join_key}


def _cache(cache: FactCache) -> Json:
    return {
        "ttlSeconds": cache.ttl.seconds,
        "staleIfErrorSeconds": cache.stale_if_error.seconds,
        "maxEntries": cache.max_entries,
    }


def _breaker(breaker: Breaker) -> Json:
    return {"failures": breaker.failures, "resetSeconds": breaker.reset.seconds}
