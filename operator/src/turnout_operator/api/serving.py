"""How a ModelDeployment's pods admit, bound, batch and remember requests."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.common import DURATION_RULE, Duration, Quantity, at_most, between, parse_duration, up_to
from turnout_operator.api.meta import SpecModel
from turnout_operator.api.schema import Rule, matches

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
KEY_FIELD_RULE = matches(
    rf"{_WORD}(\.{_WORD}){{0,7}}",
    "cache.keyFields are dotted names in the request, for example entity_id or context.carrier",
)
KeyField = Annotated[str, Field(max_length=253), KEY_FIELD_RULE]
Entries = Annotated[int, Field(ge=1, le=10_000_000)]


class Queue(SpecModel):
    """Where requests wait when all workflow executions of a pod are taken."""

    max_depth: Annotated[int, Field(ge=0, le=65_536)] = 64
    """Requests that may wait in one pod, 0 to 65536; more are answered 429 at once. Default: 64."""
    max_wait: Annotated[Duration, at_most("5m")] = Duration("50ms")
    """Longest time in the queue, a duration up to 5m; a request that waits longer is answered 429. Default: 50ms."""


class Budget(SpecModel):
    """Parts of a request's time. A stage without one may use all that is left."""

    facts: Annotated[Duration, at_most("5m")] | None = None
    """Time for fetching facts, a duration up to serving.timeout; then their fallbacks are used. When absent: all that
    is left."""
    inference: Annotated[Duration, at_most("5m")] | None = None
    """Time for the model, a duration up to serving.timeout; then the fallback ladder answers. When absent: all that is
    left."""
    postprocess: Annotated[Duration, at_most("5m")] | None = None
    """Time kept for the decision, a duration less than serving.timeout: facts and model must be done before it. When
    absent: 5ms, or a twentieth of a short timeout."""


class Batching(SpecModel):
    """How rows of different requests share a model run."""

    RULES: ClassVar = (
        Rule(
            f"self.strategy != 'fixed' || !{DURATION_RULE.cel.replace('self', 'self.maxDelay')}"
            " || duration(self.maxDelay) > duration('0s')",
            "batching.strategy fixed waits for maxSize rows and needs maxDelay, the longest it waits: set it, or use"
            " strategy dynamic",
            lambda batching: batching.strategy != "fixed" or batching.max_delay.seconds > 0,
            field_path=".maxDelay",
        ),
    )

    strategy: Literal["none", "fixed", "dynamic"] = "dynamic"
    """dynamic runs when the model is free, with the rows there are; fixed waits for maxSize rows, or for maxDelay; none
    runs each row alone. Default: dynamic."""
    max_size: Annotated[int, Field(ge=1, le=4096)] = 64
    """Rows of one model run at most, 1 to 4096. Default: 64."""
    max_delay: Annotated[Duration, up_to("1m")] = Duration("0s")
    """Time that a row is held for company, a duration up to 1m; never so long that it misses its deadline. Default:
    0s."""


class AnswerCache(SpecModel):
    """Answers remembered in each pod by the values of declared fields."""

    ttl: Annotated[Duration, at_most("1h")]
    """How long an answer is fresh, a duration up to 1h."""
    key_fields: Annotated[list[KeyField], Field(min_length=1, max_length=32)]
    """Fields of the request that make up the key, 1 to 32 dotted names, for example context.carrier."""
    max_entries: Entries = 10_000
    """Answers kept in one pod, 1 to 10000000; the least used goes first. Default: 10000."""
    stale_if_error: Annotated[Duration, up_to("24h")] = Duration("0s")
    """How long after ttl an answer may stand in for one that failed, a duration up to 24h. Default: 0s."""


class Idempotency(SpecModel):
    """A request that is sent again under the same request_id gets the first one's answer."""

    window: Annotated[Duration, at_most("1h")]
    """How long a request_id is remembered in its pod, a duration up to 1h."""
    max_entries: Entries = 10_000
    """Requests remembered in one pod, 1 to 10000000; the oldest goes first. Default: 10000."""


def _in_time(part: str, relation: Literal["<", "<="], message: str) -> Rule:
    budget = f"self.budget.{part}"
    valid = " || ".join(f"!{DURATION_RULE.cel.replace('self', text)}" for text in (budget, "self.timeout"))
    holds = float.__lt__ if relation == "<" else float.__le__

    def check(serving: Any) -> bool:
        given = getattr(serving.budget, part) if serving.budget else None
        return given is None or holds(parse_duration(given), serving.timeout.seconds)

    return Rule(
        f"!has(self.budget) || !has({budget}) || {valid} || duration({budget}) {relation} duration(self.timeout)",
        f"serving.budget.{part} {message}",
        check,
        field_path=f".budget.{part}",
    )


_MORE = "is more than serving.timeout: lower it, or raise the timeout"
_ALL = "leaves no time for facts and model: make it less than serving.timeout"


class Serving(SpecModel):
    """How one pod admits, bounds, batches and remembers requests."""

    RULES: ClassVar = (
        _in_time("facts", "<=", _MORE),
        _in_time("inference", "<=", _MORE),
        _in_time("postprocess", "<", _ALL),
    )

    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Workflow executions at once in one pod, 1 to 1024. Default: 8."""
    queue: Queue = Queue()
    """Where requests wait for an execution. Default: up to 64 requests, 50ms each."""
    timeout: Annotated[Duration, at_most("5m")] = Duration("1s")
    """Time for the whole request in the pod, a duration up to 5m; then it is answered 504. Default: 1s."""
    budget: Budget | None = None
    """Parts of that time for the stages. None by default: each stage may use all that is left."""
    batching: Batching | None = None
    """How rows of different requests share a model run. The runtime's own by default: dynamic, up to 64 rows, none
    held back."""
    cache: AnswerCache | None = None
    """Answers remembered by declared fields. None by default."""
    idempotency: Idempotency | None = None
    """Replays of a request_id. None by default: each request is computed."""
    max_body_size: Annotated[Quantity, between("1Ki", "64Mi")] = Quantity("1Mi")
    """Largest request body, a quantity from 1Ki to 64Mi; a larger one is answered 413. Through a gateway that reads
    bodies (stickyBy.bodyField) at most 4Mi pass. Default: 1Mi."""
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that answer in each pod, 1 to 64: as many as it has cores. They share the limits above. Default: 1."""
    access: Literal["Any", "GatewayOnly"] = "Any"
    """Who may call the pods: Any of the cluster, or GatewayOnly, by mutual TLS with the gateways' own certificate.
    Default: Any."""
