"""What the prediction log holds, how much of it is kept in the pods, and where it is delivered."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.common import Age, Duration, Percentage, Quantity, at_least, between, up_to
from turnout_operator.api.log_sinks import ClaimRef, LogSink
from turnout_operator.api.meta import SpecModel
from turnout_operator.api.pods import SecretKey
from turnout_operator.api.resources import Compute, Limits, Requests
from turnout_operator.api.schema import ListMap, Rule, matches

_TEXTS = "request_id|entity_id|decision|explanations_ref|trace_id"
_BELOW = r"(\.[^.\s]+)"
REDACT_RULE = matches(
    rf"{_TEXTS}|score|confidence|(caller|context|feature_refs|facts|features|details|headers){_BELOW}{{0,8}}",
    "predictionLog.redact has fields of the record: a name such as entity_id or score, or a path such as"
    " context.passenger.name below caller, context, feature_refs, facts, features, details or headers",
)
HASH_RULE = matches(
    rf"{_TEXTS}|(context|feature_refs|details){_BELOW}{{0,8}}|(caller|headers){_BELOW}{{1,8}}"
    rf"|facts{_BELOW}\.value{_BELOW}{{0,6}}",
    "predictionLog.hash.fields are texts of the record: a name such as entity_id, or a path such as context.passenger,"
    " caller.sub, headers.x-user or facts.plane.value.owner",
)
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie", "set-cookie")
_SECRET_PATTERN = "^(" + "|".join(_SECRET_HEADERS) + ")$|^x-turnout-"
HEADER_RULE = matches(r"[a-z0-9-]+", "predictionLog.headers are names in lower case, for example x-region")
SECRET_HEADER_RULE = Rule(
    f"!self.matches('{_SECRET_PATTERN}')",
    "predictionLog.headers must not hold credentials, and x-turnout- headers are the gateway's own: remove the name",
    lambda name: name not in _SECRET_HEADERS and not name.startswith("x-turnout-"),
    reason="FieldValueForbidden",
)
RedactedPath = Annotated[str, Field(max_length=253), REDACT_RULE]
HashedPath = Annotated[str, Field(max_length=253), HASH_RULE]
HeaderName = Annotated[str, Field(max_length=128), HEADER_RULE, SECRET_HEADER_RULE]


class LogRotation(SpecModel):
    """Bounds of the prediction log on its volume: at most size times keep."""

    size: Annotated[Quantity, between("1Ki", "1Ti")] = Quantity("64Mi")
    """Bytes of one file, a quantity from 1Ki to 1Ti; then the next file is begun. Default: 64Mi."""
    keep: Annotated[int, Field(ge=1, le=1024)] = 8
    """Files kept, 1 to 1024; what happens then, whenFull says. Default: 8."""
    age: Annotated[Duration, at_least("1s"), up_to("24h")] = Duration("60s")
    """How long a file is written to, a duration from 1s to 24h; sinks that get whole files lag as long. Default:
    60s."""


class LogFlush(SpecModel):
    """When rows reach the disk."""

    interval: Annotated[Duration, up_to("10s")] = Duration("200ms")
    """Longest time that a row is in memory only, a duration up to 10s; a pod that is killed loses no more. 0s writes
    each row before its answer goes out. Default: 200ms."""
    sync: bool = False
    """Whether rows are forced to the disk itself, so that they survive a crash of the node. Default: False."""


class LogHash(SpecModel):
    """Fields that are logged as keyed hashes: equal values stay equal, and nobody reads them without the key."""

    fields: Annotated[list[HashedPath], Field(min_length=1, max_length=64)]
    """Fields of the record, 1 to 64, for example entity_id."""
    key_secret_ref: SecretKey
    """The key of a Secret in the same namespace that holds the key of HMAC-SHA256, at least 16 characters."""


class LogRetention(SpecModel):
    """How long the sinks objectStore and directory keep this objective's files."""

    RULES: ClassVar = (
        Rule(
            "has(self.age) || has(self.size)",
            "give retention.age, retention.size, or both",
            lambda retention: retention.age is not None or retention.size is not None,
        ),
    )

    age: Age | None = None
    """Age after which rows are deleted, whole hours or days such as 36h or 30d. When absent: age does not count."""
    size: Annotated[Quantity, between("1Mi", "1Pi")] | None = None
    """Bytes beyond which the oldest hours are deleted, a quantity from 1Mi to 1Pi. When absent: no bound."""


class ShipperRequests(Requests):
    """What the container reserves on its node."""

    cpu: Quantity = Quantity("50m")
    """CPU in cores, a quantity such as 500m or 2. Default: 50m."""
    memory: Quantity = Quantity("192Mi")
    """Memory in bytes, a quantity such as 512Mi. Default: 192Mi."""


class ShipperLimits(Limits):
    """What the container may use at most."""

    memory: Quantity | None = Quantity("512Mi")
    """Memory in bytes, a quantity such as 1Gi; the container is killed beyond it. Default: 512Mi."""


class ShipperResources(Compute):
    """Compute resources of the container."""

    requests: ShipperRequests = ShipperRequests()
    """What it reserves. Default: cpu 50m, memory 192Mi."""
    limits: ShipperLimits | None = ShipperLimits()
    """What it may use at most. Default: memory 512Mi."""


class Shipper(SpecModel):
    """The container log beside the runtime, which delivers to the sinks."""

    resources: ShipperResources = ShipperResources()
    """Compute resources of the container. Default: requests of cpu 50m and memory 192Mi, a limit of memory 512Mi."""


def _needs(field: str, cel: str, message: str, python: str) -> Rule:
    return Rule(
        f"!has(self.{field}) || {cel}",
        message,
        lambda log: getattr(log, field) is None or any(getattr(sink, python) for sink in log.sinks),
        field_path=f".{field}",
        reason="FieldValueForbidden",
    )


class PredictionLog(SpecModel):
    """The log with one row for every prediction, and where it is delivered."""

    RULES: ClassVar = (
        Rule(
            "self.enabled || !has(self.sinks) || self.sinks.size() == 0",
            "a log that is not enabled has nothing for sinks: remove them, or set enabled: true",
            lambda log: log.enabled or not log.sinks,
            field_path=".sinks",
            reason="FieldValueForbidden",
        ),
        _needs(
            "retention",
            "(has(self.sinks) && self.sinks.exists(sink, has(sink.objectStore) || has(sink.directory)))",
            "predictionLog.retention is for the sinks objectStore and directory: add one, or remove it (rotate bounds"
            " what stays in the pods)",
            "keeps_files",
        ),
        _needs(
            "shipper",
            "(has(self.sinks) && self.sinks.size() > 0)",
            "predictionLog.shipper delivers to sinks, and there is none: add one, or remove it",
            "name",
        ),
        Rule(
            # The API server also judges the default of the whole, {}, before its parts have theirs.
            "!has(self.whenFull) || self.whenFull != 'DropNewest' || !has(self.rotate.keep) || self.rotate.keep >= 4",
            "whenFull: DropNewest refuses rows while files are changed when few are kept: set rotate.keep to 4 or more",
            lambda log: log.when_full != "DropNewest" or log.rotate.keep >= 4,
            field_path=".whenFull",
        ),
    )

    enabled: bool = True
    """Whether predictions are logged. Default: True."""
    rotate: LogRotation = LogRotation()
    """Bounds of the log in each pod. Default: 8 files of 64Mi, each written to for 60s."""
    flush: LogFlush | None = None
    """When rows reach the disk. When absent: within 200ms."""
    when_full: Literal["DropOldest", "DropNewest"] = "DropOldest"
    """What is lost when the log has reached its bounds before the sinks took it: DropOldest, the oldest file, or
    DropNewest, rows that come, which needs a rotate.keep of 4 or more. Default: DropOldest."""
    sample: Percentage = Percentage("100%")
    """Share of the requests that is logged, from 0.01% to 100%; failures and fallbacks always are, and a shadow with
    its original. Default: 100%."""
    redact: Annotated[list[RedactedPath], Field(max_length=64)] = Field(default_factory=list)
    """Fields of the record that are logged as null, at most 64, for example context.passenger. None by default."""
    hash: LogHash | None = None
    """Fields of the record that are logged as keyed hashes. None by default."""
    headers: Annotated[list[HeaderName], Field(max_length=32)] = Field(default_factory=list)
    """Headers of the request that are logged, at most 32, in lower case. None by default."""
    persistent_volume_claim: ClaimRef | None = None
    """The claim that holds the log until it is delivered, in a folder a pod. Default: a volume of the pod's own, gone
    with the pod."""
    sinks: Annotated[list[LogSink], Field(max_length=8), ListMap("name")] = Field(default_factory=list)
    """Where every row is delivered, at most 8 places. None by default: the log stays in the pods."""
    retention: LogRetention | None = None
    """How long the sinks objectStore and directory keep this objective's files. When absent: for ever."""
    shipper: Shipper | None = None
    """The container that delivers to the sinks. When absent: with the resources that are its default."""
