"""What a ModelDeployment of mode batch reads, writes and runs: an Indexed Job, by a schedule if it has one."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.common import Duration, at_most
from turnout_operator.api.facts import FACTS_RULE
from turnout_operator.api.meta import SUBDOMAIN, SpecModel
from turnout_operator.api.pods import SecretRef
from turnout_operator.api.schema import Rule, matches

_PART = r"[A-Za-z0-9_*-][A-Za-z0-9._*=-]*"
_BUCKET = r"(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]*"
INPUT_RULE = matches(
    rf"pvc://{SUBDOMAIN}(/{_PART})+/?|{_BUCKET}/[^\s?#]+",
    "must be pvc://CLAIM/PATH, or s3:// gs:// or az://BUCKET/PATH; * stands for any part of a file's name",
)
OUTPUT_RULE = matches(
    rf"pvc://{SUBDOMAIN}(/[A-Za-z0-9_-][A-Za-z0-9._=-]*)+/?|{_BUCKET}/[^\s?#*]+",
    "batch.output must be pvc://CLAIM/PATH, or s3:// gs:// or az://BUCKET/PATH; a folder of parts ends in /",
)
_CRON_FIELD = r"[0-9A-Za-z*/,?-]+"
SCHEDULE_RULE = matches(
    rf"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|{_CRON_FIELD}( {_CRON_FIELD}){{4}}",
    "batch.schedule must be a cron expression of five fields such as 0 3 * * *, or @daily and its like",
)
ZONE_RULE = matches(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "batch.timeZone must be a zone's name such as Europe/Berlin")

Column = Annotated[str, Field(min_length=1, max_length=253)]
InputUri = Annotated[str, Field(max_length=2048), INPUT_RULE]


class Snapshot(SpecModel):
    """A table of a fact's past values: one row a key and time, the other columns are the value's fields."""

    uri: InputUri
    """Where the table is: pvc://CLAIM/PATH, or s3://, gs:// or az://BUCKET/PATH; Parquet, CSV or JSON Lines."""
    key_column: Column = "key"
    """Column of the key. Default: key."""
    time_column: Column = "time"
    """Column of the time from which the values hold. Default: time."""
    max_age: Annotated[Duration, at_most("24h")] | None = None
    """How old a value may be for a row, a duration up to 24h. When absent: as old as it is."""


class BatchColumns(SpecModel):
    """Columns of the input that are not fields of the request's context."""

    time: Column | None = None
    """Column of the time at which a row is asked: facts are read as of it. When absent: the time of the run."""
    entity_id: Column | None = None
    """Column of the entity's id. None by default."""
    request_id: Column | None = None
    """Column of the request's id. None by default."""


class Batch(SpecModel):
    """One offline run over a table, split into shards that are the indexes of a Job."""

    RULES: ClassVar = (
        Rule(
            "self.shards == 1 || self.output.endsWith('/')",
            "several shards write several files: let batch.output end in / to name a folder, or set shards to 1",
            lambda batch: batch.shards == 1 or batch.output.endswith("/"),
            field_path=".output",
        ),
        Rule(
            "!has(self.timeZone) || has(self.schedule)",
            "batch.timeZone is the zone of batch.schedule: add a schedule, or remove it",
            lambda batch: batch.time_zone is None or batch.schedule is not None,
            field_path=".timeZone",
        ),
    )

    input: InputUri
    """The table to read: pvc://CLAIM/PATH, or s3://, gs:// or az://BUCKET/PATH; a folder when it ends in /, and *
    stands for any part of a file's name. Its columns are the fields of the request's context."""
    output: Annotated[str, Field(max_length=2048), OUTPUT_RULE]
    """What to write: pvc://CLAIM/PATH, or s3://, gs:// or az://BUCKET/PATH; a folder with a file of each shard when it
    ends in /."""
    format: Literal["parquet", "csv", "jsonl"] | None = None
    """Format of files whose names do not tell. When absent: by the file's ending; parquet in a folder."""
    columns: BatchColumns | None = None
    """Columns that are not fields of the context. None by default."""
    facts: Annotated[dict[str, Snapshot], Field(max_length=32), FACTS_RULE] = Field(default_factory=dict)
    """Snapshots in place of the sources in spec.facts, by the fact's name, at most 32: each row sees the values of its
    own time. A fact without one has its fallback. None by default."""
    shards: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Parts of the input, each one index of the Job, 1 to 10000. Default: 1."""
    parallelism: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Pods at once, 1 to 1000. When absent: as many as shards, at most 1000."""
    processes: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes in each pod, 1 to 256. When absent: as many as it has cores."""
    rows_per_part: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Rows that are read, answered and written at a time, 1 to 10000000; what is written is not done again after a
    failure. Default: 10000."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often a failed shard is tried again, 0 to 10. Default: 2."""
    deadline: Annotated[Duration, at_most("720h")] | None = None
    """Time for the whole run, a duration up to 720h; then it fails. No limit by default."""
    schedule: Annotated[str, Field(max_length=128), SCHEDULE_RULE] | None = None
    """When to run, a cron expression such as 0 3 * * *; a run is left out while the one before it lasts. When absent:
    once, as soon as the spec is there."""
    time_zone: Annotated[str, Field(max_length=64), ZONE_RULE] | None = None
    """Zone of the schedule, for example Europe/Berlin. When absent: the cluster's."""
    secret_ref: SecretRef | None = None
    """The Secret in the same namespace whose keys are the object store's variables, such as AWS_ACCESS_KEY_ID, for
    input, output and snapshots. When absent: those of bundle.secretRef and runtime.env."""
    run: Annotated[str, Field(max_length=63)] | None = None
    """Any text. Change it to run the same once more: a finished run is repeated only when the spec changes. None by
    default."""
