"""Pydantic's JSON schema made structural: the subset that the API server accepts in a CustomResourceDefinition.

References are inlined, `null` is dropped (the API server prunes nulls of fields that are not nullable), defaults that
are whole objects become `{}` so that the nested defaults fill them, and what Kubernetes forbids is left out.
"""

from typing import Any

from turnout_operator.api.schema import VALIDATIONS

Schema = dict[str, Any]

_REF = "#/$defs/"
_FORBIDDEN = {"title", "propertyNames", "discriminator", "$defs", "additionalProperties", "properties", "items"}
_ORDER = ("description", "type", "format", "enum", "default")


def structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The structural form of one pydantic schema whose `$ref`s point into `definitions`."""
    flat = _flatten(schema, definitions)
    result = {key: value for key, value in flat.items() if key not in _FORBIDDEN}
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if result.get("default", ...) is None:
        del result["default"]
    if "properties" in flat and "default" in result:
        result["default"] = {}
    result |= _children(flat, definitions)
    return {key: result[key] for key in sorted(result, key=_rank)}


def _flatten(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Merge a `$ref`'s target or the one branch that is not null into the schema around it."""
    rest = dict(schema)
    if reference := rest.pop("$ref", None):
        return _merge(_flatten(definitions[reference.removeprefix(_REF)], definitions), rest)
    if "anyOf" not in rest or "x-kubernetes-int-or-string" in rest:
        return rest
    branches = [branch for branch in rest.pop("anyOf") if branch.get("type") != "null"]
    if len(branches) != 1:
        raise ValueError(f"a structural schema has no unions: {schema}")
    return _merge(_flatten(branches[0], definitions), rest)


def _merge(inner: Schema, outer: Schema) -> Schema:
    rules = [*inner.get(VALIDATIONS, []), *outer.get(VALIDATIONS, [])]
    return {**inner, **outer, **({VALIDATIONS: rules} if rules else {})}


def _children(flat: Schema, definitions: dict[str, Schema]) -> Schema:
    if "properties" in flat:
        return {"properties": {name: structural(child, definitions) for name, child in flat["properties"].items()}}
    if "items" in flat:
        return {"items": structural(flat["items"], definitions)}
    if flat.get("type") != "object":
        return {}
    values = flat["additionalProperties"]
    child = structural(values, definitions) if isinstance(values, dict) else {}
    return {"additionalProperties": child} if child else {"x-kubernetes-preserve-unknown-fields": True}


def _rank(key: str) -> tuple[int, str]:
    return (_ORDER.index(key), "") if key in _ORDER else (len(_ORDER), key)
