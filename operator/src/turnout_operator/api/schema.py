"""What a model says about itself beyond types: validation rules and how kubectl shows it.

A `Rule` holds the CEL expression that the API server evaluates and the same decision in Python, side by side, so that
an object refused by one is refused by the other with the same words.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")

VALIDATIONS = "x-kubernetes-validations"

Reason = Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"]


@dataclass(frozen=True)
class Rule:
    """One validation rule, usable as `Annotated[T, Rule(...)]` on a field or in a model's `RULES`.

    `cel` must be true for a valid value `self`; `check` decides the same in Python. `message` names what is wrong and
    the remedy; `message_cel` with `describe` replaces it where the message shows the value. `field_path` (CEL path,
    e.g. `.header`) moves the error to a child field.
    """

    cel: str
    message: str
    check: Callable[[Any], bool]
    message_cel: str | None = None
    describe: Callable[[Any], str] | None = None
    field_path: str | None = None
    reason: Reason | None = None

    def to_schema(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        entry = {
            "rule": self.cel,
            "message": self.message,
            "messageExpression": self.message_cel,
            "fieldPath": self.field_path,
            "reason": self.reason,
        }
        return {key: value for key, value in entry.items() if value is not None}

    def enforce(self, value: T) -> T:
        """Return `value`, or raise pydantic's error with the rule's message."""
        if self.check(value):
            return value
        text = self.describe(value) if self.describe else self.message
        raise PydanticCustomError("rule", "{message}", {"message": text})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.enforce, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return add_rules(handler(schema), self)


def add_rules(schema: dict[str, Any], *rules: Rule) -> dict[str, Any]:
    """A copy of `schema` whose validations are extended by `rules`."""
    entries = [*schema.get(VALIDATIONS, []), *(rule.to_schema() for rule in rules)]
    return {**schema, VALIDATIONS: entries} if entries else schema


def matches(pattern: str, message: str, reason: Reason | None = None) -> Rule:
    """The whole string matches `pattern` (RE2 and Python syntax, no single quote, no anchors).

    Used in place of the schema's own `pattern`, whose message shows the expression and no remedy.
    """
    compiled = re.compile(pattern)
    cel = f"self.matches(r'^({pattern})$')"
    return Rule(cel, message, lambda value: compiled.fullmatch(value) is not None, reason=reason)


def keys_match(pattern: str, message: str) -> Rule:
    """Every key of a map matches `pattern`."""
    compiled = re.compile(pattern)
    cel = f"self.all(key, key.matches(r'^({pattern})$'))"
    return Rule(cel, message, lambda value: all(compiled.fullmatch(key) for key in value))


@dataclass(frozen=True)
class ListMap:
    """Marks a list whose items are identified by `key`: duplicates are refused, server-side applies merge by it."""

    key: str

    def enforce(self, items: list[Any]) -> list[Any]:
        """Return `items`, or raise pydantic's error when two of them have the same key."""
        keys = [getattr(item, self.key) for item in items]
        for key in keys:
            if keys.count(key) > 1:
                raise PydanticCustomError("duplicate", "Duplicate value: {key}", {"key": key})
        return items

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.enforce, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        marks = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}
        return {**handler(schema), **marks}


@dataclass(frozen=True)
class Column:
    """One printer column; `priority` 1 shows it with `-o wide` only."""

    name: str
    json_path: str
    description: str
    type: Literal["string", "integer", "date"] = "string"
    priority: int = 0


@dataclass(frozen=True)
class Scale:
    """Paths of the scale subresource."""

    spec_replicas: str
    status_replicas: str
    selector: str


@dataclass(frozen=True)
class Names:
    """How a kind is called, listed and scaled."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    scale: Scale | None = None
