"""How a ModelDeployment's pods behave: admission of requests, facts, prediction log."""

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from turnout_operator.api.common import Duration, Quantity, at_most, between
from turnout_operator.api.meta import SpecModel, one_of
from turnout_operator.api.pods import SecretKey, SecretName
from turnout_operator.api.schema import Rule, matches

FACT_NAME = r"[a-z][a-z0-9_]{0,62}"
REDIS_URL_RULE = matches(r"rediss?://\S+", "redis.url must be redis://HOST[:PORT][/DB], or rediss:// for TLS")
REDIS_PASSWORD_RULE = Rule(
    "!self.contains('@')",
    "redis.url must hold no user or password, since it is stored as plain text: put the URL in a Secret and use"
    " redis.secretRef",
    lambda url: "@" not in url,
    reason="FieldValueForbidden",
)


class Queue(SpecModel):
    """Where requests wait when all workflow executions of a pod are taken."""

    max_depth: Annotated[int, Field(ge=0, le=65_536)] = 64
    """Requests that may wait in one pod, 0 to 65536; more are answered 429 at once. Default: 64."""
    max_wait: Annotated[Duration, at_most("5m")] = Duration("50ms")
    """Longest time in the queue, a duration up to 5m; a request that waits longer is answered 429. Default: 50ms."""


class Serving(SpecModel):
    """How one pod admits and bounds requests."""

    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Workflow executions at once in one pod, 1 to 1024. Default: 8."""
    queue: Queue = Queue()
    """Where requests wait for an execution. Default: up to 64 requests, 50ms each."""
    timeout: Annotated[Duration, at_most("5m")] = Duration("1s")
    """Time for the whole request in the pod, a duration up to 5m; then it is answered 504. Default: 1s."""


class RedisFacts(SpecModel):
    """Facts in a Redis: each key holds one JSON object."""

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


class FactSource(SpecModel):
    """One named source of values that the workflow fetches while it answers."""

    redis: RedisFacts
    """The Redis that holds the facts."""
    timeout: Annotated[Duration, at_most("5m")] = Duration("20ms")
    """Time for one fetch, a duration up to 5m; then the fallback is used. Default: 20ms."""
    fallback: Annotated[dict[str, JsonValue], Field(max_length=256)] | None = None
    """Any object, used in place of a fact that is missing, late or unreachable. None by default: the workflow sees
    no fact."""


class LogRotation(SpecModel):
    """Bounds of the prediction log on its volume: at most size times keep."""

    size: Annotated[Quantity, between("1Ki", "1Ti")] = Quantity("64Mi")
    """Bytes of one file, a quantity from 1Ki to 1Ti; then the next file is begun. Default: 64Mi."""
    keep: Annotated[int, Field(ge=1, le=1024)] = 8
    """Files kept, 1 to 1024; the oldest is deleted first. Default: 8."""


class ClaimRef(SpecModel):
    """A PersistentVolumeClaim in the object's namespace."""

    claim_name: SecretName
    """Name of the claim."""


class PredictionLog(SpecModel):
    """The log with one JSON line for every prediction."""

    rotate: LogRotation = LogRotation()
    """Bounds of the log. Default: 8 files of 64Mi."""
    persistent_volume_claim: ClaimRef | None = None
    """The claim that holds the log. Default: a volume of the pod's own, of size times keep + 1, gone with the pod."""
