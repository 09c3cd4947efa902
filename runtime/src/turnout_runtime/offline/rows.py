"""Rows of the input as prediction requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from turnout_runtime.config import Batch
from turnout_runtime.errors import BatchInvalid, InvalidRequest
from turnout_runtime.offline.columns import Columns, Values
from turnout_runtime.offline.values import as_object
from turnout_runtime.workflow import Workflow

_REMEDY = "name another one, or leave it out"


@dataclass(frozen=True, slots=True)
class Asked:
    """One row: its number in the input, its time, and the request as an HTTP body would hold it."""

    number: int
    time_ns: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """Which columns are read (`sql`), and what they mean."""

    sql: tuple[str, ...]
    time_column: str | None
    feature_refs: tuple[str, ...]
    context: Values

    def request(self, number: int, row: Sequence[Any], now_ns: int) -> Asked:
        """The request of a row; `now_ns` is its time where the input has no times.

        Raises `InvalidRequest` when the row has no readable time, or JSON that is none.
        """
        _, _, time_ns, *rest = row
        split = len(self.feature_refs)
        try:
            references = {name: _object(text) for name, text in zip(self.feature_refs, rest, strict=False)}
            context = as_object(self.context, rest[split:])
        except ValueError as error:
            raise InvalidRequest(f"the row is not JSON: {error}") from None
        if self.time_column is None:
            time_ns = now_ns
        elif time_ns is None or time_ns < 0:
            raise InvalidRequest(f"{self.time_column}: no time since 1970")
        document = {**self.names(number, row), "context": context}
        if references:
            document["feature_refs"] = {name: value for name, value in references.items() if value is not None}
        return Asked(number, time_ns, document)

    def names(self, number: int, row: Sequence[Any]) -> dict[str, Any]:
        """Who asked what: `request_id` and `entity_id` of a row, also of one that is no request."""
        return {"request_id": row[1] or f"row-{number}", "entity_id": row[0]}

    def check(self, workflow: Workflow) -> None:
        """Raise `BatchInvalid` when the context that the workflow declares needs a field that no column has."""
        model = workflow.context_model
        if model is None or not self.context.names:
            return
        for name, field in model.model_fields.items():
            accepted = {name, field.alias, field.validation_alias}
            if field.is_required() and not accepted & set(self.context.names):
                have = ", ".join(self.context.names)
                needed = f"batch.input: no column {field.alias or name!r}, which the workflow's context needs"
                raise BatchInvalid(f"{needed}; there are {have}: add or rename one")


def reader(batch: Batch, columns: Columns, caller: Sequence[str] = ()) -> Reader:
    """How the table's rows are read; the columns in `caller` are facts that callers send as feature_refs.

    Raises `BatchInvalid` for a column that is named and not there.
    """
    named = {"entityIdColumn": batch.entity_id_column, "requestIdColumn": batch.request_id_column}
    for field, name in (*named.items(), ("timeColumn", batch.time_column)):
        if name is not None:
            columns.check(name, f"batch.{field}", _REMEDY)
    for name in caller:
        columns.check(name, f"facts.{name}.caller", "callers send this fact: add the column, as JSON or a struct")
    texts = [columns.text(name) if name else "NULL" for name in named.values()]
    time = columns.time(batch.time_column) if batch.time_column else "NULL"
    taken = {name for name in (*named.values(), batch.time_column, *caller) if name}
    context = columns.values(taken)
    return Reader((*texts, time, *map(columns.json, caller), *context.sql), batch.time_column, tuple(caller), context)


def _object(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
