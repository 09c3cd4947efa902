"""Golden examples and warm-up requests: JSON Lines in the bundle, one example a line. Pure."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from turnout_runtime.errors import BundleInvalid
from turnout_runtime.validation import describe

_REQUEST_FIELDS = frozenset({"request_id", "entity_id", "feature_refs", "context"})


class Expected(BaseModel):
    """What is compared: only the fields that are given. `error` is the slug of the problem that must come instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decision: str | None = None
    score: float | None = None
    confidence: float | None = None
    explanations_ref: str | None = None
    fallback_used: bool | None = None
    fallback: str | None = None
    details: dict[str, Any] | None = None
    error: str | None = None


class Example(BaseModel):
    """A prediction request, the facts that it finds by name (null: there is none), and what it must be answered.

    `time` is the request's time for workflows that use `ctx.now`; numbers may differ by `tolerance`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: dict[str, Any]
    facts: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    time: AwareDatetime | None = None
    expect: Expected | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-6

    @property
    def time_ns(self) -> int | None:
        """Its time in nanoseconds since 1970."""
        return None if self.time is None else _nanoseconds(self.time)


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000) * 1000


def parse_examples(text: bytes, file: str, *, golden: bool) -> dict[int, Example]:
    """Examples by the number of their line; raises `BundleInvalid` that names the line and the field.

    A warm-up line may also be a bare prediction request; a golden one must say what it expects.
    """
    examples = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            examples[number] = _parse_line(line, f"{file} line {number}", golden)
    return examples


def _parse_line(line: bytes, place: str, golden: bool) -> Example:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BundleInvalid(f"{place} is not JSON: {error}") from None
    if not golden and isinstance(document, dict) and document.keys() <= _REQUEST_FIELDS:
        document = {"request": document}
    try:
        example = Example.model_validate(document)
    except ValidationError as error:
        raise BundleInvalid(f"{place}: {describe(error)}") from error
    if golden and (example.expect is None or not example.expect.model_fields_set):
        raise BundleInvalid(f'{place}: expect: say what the answer must be, such as {{"decision": "late"}}')
    return example
