"""What a batch job reads and writes."""

from typing import Annotated, Literal

from pydantic import Field

from turnout_runtime.config.part import Name, Part, Seconds

Uri = Annotated[str, Field(min_length=1, max_length=2048)]


class SnapshotLocation(Part):
    """A table of a fact's past values: one row a key and time, the other columns are the value's fields."""

    uri: Uri
    key_column: Name = "key"
    time_column: Name = "time"
    max_age_seconds: Seconds | None = None


class Batch(Part):
    """One offline run. URIs are paths or s3://…; an output that ends in / is a folder of parts, one a shard.

    Columns of the input are the fields of the request's context, except `entity_id_column`, `request_id_column` and
    `time_column`.
    """

    input: Uri
    output: Uri
    format: Literal["parquet", "csv", "jsonl"] | None = None
    time_column: Name | None = None
    entity_id_column: Name | None = None
    request_id_column: Name | None = None
    facts: dict[str, SnapshotLocation] = Field(default_factory=dict)
    shards: Annotated[int, Field(ge=1, le=10_000)] = 1
    processes: Annotated[int, Field(ge=1, le=256)] | None = None
    rows_per_part: Annotated[int, Field(ge=1)] = 10_000
