"""Where the facts of a ModelDeployment come from, and what stands in for one that does not come."""

from operator import attrgetter
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from turnout_operator.api.common import Duration, at_most, up_to
from turnout_operator.api.fact_locations import (
    CallerFacts,
    FeastFacts,
    HttpFacts,
    PluginFacts,
    RedisFacts,
)
from turnout_operator.api.meta import SpecModel, one_of
from turnout_operator.api.schema import Rule, keys_match

FACT_NAME = r"[a-z][a-z0-9_]{0,62}"
FACTS_RULE = keys_match(
    FACT_NAME, "the names of facts start with a lower-case letter and have up to 63 of a-z, 0-9 and _"
)
_KINDS = ("redis", "http", "feast", "caller", "plugin")


class FactCache(SpecModel):
    """Values remembered in each pod."""

    ttl: Annotated[Duration, at_most("1h")]
    """How long a value is fresh, a duration up to 1h."""
    stale_if_error: Annotated[Duration, up_to("24h")] = Duration("0s")
    """How long after ttl a value may stand in for one that can't be fetched, a duration up to 24h. Default: 0s."""
    max_entries: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Values kept in one pod, 1 to 10000000. Default: 10000."""


class Breaker(SpecModel):
    """Leaves a source that fails alone for a while, so that no request waits for it."""

    failures: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Failures in a row after which the source is left alone, 1 to 10000. Default: 5."""
    reset: Annotated[Duration, at_most("1h")] = Duration("1s")
    """Time between the fetches that try it again, a duration up to 1h. Default: 1s."""


class FactSource(SpecModel):
    """One named source of values that the workflow fetches while it answers."""

    RULES: ClassVar = (
        one_of(
            {kind: attrgetter(kind) for kind in _KINDS},
            "give exactly one of redis, http, feast, caller and plugin",
        ),
        Rule(
            "!has(self.caller) || (!has(self.cache) && !has(self.breaker))",
            "a fact that the caller sends is not fetched: remove cache and breaker",
            lambda source: source.caller is None or (source.cache is None and source.breaker is None),
            reason="FieldValueForbidden",
        ),
    )

    redis: RedisFacts | None = None
    """A Redis that holds the facts. Exactly one of redis, http, feast, caller and plugin is given."""
    http: HttpFacts | None = None
    """A web service that answers with the fact. Exactly one of redis, http, feast, caller and plugin is given."""
    feast: FeastFacts | None = None
    """A Feast online store. Exactly one of redis, http, feast, caller and plugin is given."""
    caller: CallerFacts | None = None
    """The request itself brings the fact. Exactly one of redis, http, feast, caller and plugin is given."""
    plugin: PluginFacts | None = None
    """A source that a package in the image offers. Exactly one of redis, http, feast, caller and plugin is given."""
    timeout: Annotated[Duration, at_most("5m")] = Duration("20ms")
    """Time for one fetch, a duration up to 5m; then the fallback is used. Default: 20ms."""
    fallback: Annotated[dict[str, JsonValue], Field(max_length=256)] | None = None
    """Any object, used in place of a fact that is missing, late or unreachable. None by default: the workflow sees
    no fact."""
    cache: FactCache | None = None
    """Values remembered in each pod. None by default."""
    breaker: Breaker | None = None
    """When a failing source is left alone. The runtime's own by default: after 5 failures in a row, tried again every
    1s."""
    timestamp_field: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Field of the value that says when it was observed, RFC 3339 or seconds since 1970; the age of facts is logged and
    measured by it. When absent: facts have no age of their own."""
