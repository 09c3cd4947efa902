"""The neutral route table: what the gateway must do, in no proxy's words.

`plan/` decides it, `xds/` renders it for Envoy. Weights are basis points (hundredths of a percent), so that a split
is exact in integers.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

TOTAL_WEIGHT = 10_000


class PolicyKey(NamedTuple):
    """Names one RoutingPolicy."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One ready pod address of a cluster."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Sticky:
    """Where the entity id of a request is found: the name of a header or cookie, or a dotted path in the JSON body."""

    kind: Literal["header", "cookie", "body"]
    name: str


class Span(NamedTuple):
    """Neighbouring cohorts of one arm; `width` is their number."""

    arm: str
    width: int


Layout = tuple[Span, ...]
"""The cohorts of all arms, from cohort 0 on; the widths sum to `TOTAL_WEIGHT`."""


@dataclass(frozen=True, slots=True)
class ArmRoute:
    """One destination: `cluster` is `<namespace>/<revision>`, `weight` is in basis points.

    `guarded`: its pods demand the gateway's certificate.
    """

    name: str
    cluster: str
    revision: str
    weight: int
    guarded: bool = False


Test = Literal["values", "prefix", "suffix", "contains", "range", "present"]
Operands = tuple[str, ...] | tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a value in the request: what is absent fulfils only an inverted one.

    `operands` are texts; for `range` the least and the most whole number, None where there is no bound.
    """

    source: Literal["header", "query", "body"]
    name: str
    test: Test
    operands: Operands = ()
    invert: bool = False


@dataclass(frozen=True, slots=True)
class RuleRoute:
    """A segment with a split of its own: requests that fulfil all conditions, of entities in these cohorts (both ends
    included). The arms' weights sum to `TOTAL_WEIGHT`."""

    name: str
    conditions: tuple[Condition, ...]
    cohorts: tuple[int, int] | None
    arms: tuple[ArmRoute, ...]


@dataclass(frozen=True, slots=True)
class Static:
    """An answer that needs no pod."""

    decision: str
    score: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers when the chosen arm can't: the arms in order, then `static`; without one the failure is told.

    `failures` are those that lead on, of 5xx, timeout and overload; others always do. `after` is the time of each arm
    in seconds; None divides the policy's. `max_concurrent` bounds the requests that a gateway sends to a rung.
    """

    arms: tuple[ArmRoute, ...]
    static: Static | None
    failures: frozenset[str]
    after: float | None
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class Shadow:
    """An arm that gets copies of predictions: of `percent` basis points of those that other arms answer.

    `max_concurrent` bounds the copies under way from each gateway. Larger bodies than `max_body_bytes` are not copied.
    """

    arm: ArmRoute
    percent: int
    max_concurrent: int
    max_body_bytes: int


@dataclass(frozen=True, slots=True)
class PolicyRoute:
    """The whole split of one objective. `arms[0]` is the stable arm; the weights sum to `TOTAL_WEIGHT`.

    The first of `rules` that fits a request decides; what none fits is split over `arms`.

    With `sticky`, `layout` says which cohorts are whose.
    Without arms the objective is known and nothing can answer it. `stream_seconds` is the time of a streaming answer,
    where that may be more than `timeout_seconds`.
    """

    key: PolicyKey
    objective: str
    version: str
    sticky: Sticky | None
    arms: tuple[ArmRoute, ...]
    timeout_seconds: float
    stream_seconds: float = 0.0
    layout: Layout = ()
    rules: tuple[RuleRoute, ...] = ()
    fallback: Fallback | None = None
    shadows: tuple[Shadow, ...] = ()

    @property
    def chosen(self) -> tuple[ArmRoute, ...]:
        """The arms of the split and of all rules; an arm may come several times."""
        return (*self.arms, *(arm for rule in self.rules for arm in rule.arms))

    @property
    def destinations(self) -> tuple[ArmRoute, ...]:
        """All arms that requests may come to; an arm may come several times."""
        below = self.fallback.arms if self.fallback else ()
        return (*self.chosen, *below, *(each.arm for each in self.shadows))


def cluster_name(namespace: str, revision: str) -> str:
    """The cluster of one revision, unique in the whole Kubernetes cluster."""
    return f"{namespace}/{revision}"
