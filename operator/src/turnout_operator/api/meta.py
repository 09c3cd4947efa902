"""Base classes of every API model, and the part of `metadata` that the operator reads."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from turnout_operator.api.schema import Names, Rule, add_rules

API_VERSION: Literal["serving.turnout.dev/v1alpha1"] = "serving.turnout.dev/v1alpha1"
GROUP, VERSION = API_VERSION.split("/")

NAME = r"[a-z]([-a-z0-9]*[a-z0-9])?"
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
LABEL_MESSAGE = "must have up to 63 characters of a-z, 0-9 and -, starting and ending with a letter or digit"
MAX_NAME = 43


class ApiModel(BaseModel):
    """snake_case in Python, camelCase in Kubernetes; both are accepted, camelCase is written."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True, use_attribute_docstrings=True
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _enforce_rules(self) -> Self:
        for rule in self.RULES:
            rule.enforce(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return add_rules(handler.resolve_ref_schema(handler(schema)), *cls.RULES)


class SpecModel(ApiModel):
    """Part of a spec: immutable, strictly typed, and a field that does not exist is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StatusModel(ApiModel):
    """Part of a status: an older operator can read what a newer one wrote."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Without defaults: the API server must not add to what was observed."""
        result = super().__get_pydantic_json_schema__(schema, handler)
        for field in result["properties"].values():
            field.pop("default", None)
        return result


class ObjectMeta(ApiModel):
    """The fields of Kubernetes' ObjectMeta that the operator uses; all others are ignored."""

    model_config = ConfigDict(extra="ignore")

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: AwareDatetime | None = None
    deletion_timestamp: AwareDatetime | None = None


class Resource(ApiModel):
    """A whole custom resource. Subclasses add `spec` and `status`."""

    model_config = ConfigDict(extra="ignore")
    NAMES: ClassVar[Names]

    metadata: ObjectMeta


def one_of(fields: dict[str, Callable[[Any], Any]], message: str) -> Rule:
    """Exactly one of the given fields (camelCase name -> getter) is set."""
    cel = f"[{', '.join(f'has(self.{name})' for name in fields)}].filter(given, given).size() == 1"
    return Rule(cel, message, lambda model: sum(get(model) is not None for get in fields.values()) == 1)
