"""The reference page of the custom resources, made from the same schemas as the CustomResourceDefinitions."""

from collections.abc import Iterator
from typing import Any

from turnout_operator.api.common import DURATION_RULE
from turnout_operator.api.manifest import object_schema
from turnout_operator.api.meta import API_VERSION, Resource
from turnout_operator.api.schema import VALIDATIONS
from turnout_operator.api.structural import Schema

_INTRODUCTION = f"""\
# Reference of the custom resources

API version `{API_VERSION}`. Both kinds are namespaced and listed by `kubectl get turnout`. Durations are a whole
number and a unit (`ms`, `s`, `m`, `h`); quantities are Kubernetes' own (`100m`, `2`, `256Mi`). A field that is not
listed here is refused. The same text is in the cluster: `kubectl explain md.spec.serving`.
"""


def render(models: tuple[type[Resource], ...]) -> str:
    """The whole page as Markdown, for example for `docs/reference.md`."""
    return "\n".join([_INTRODUCTION, *(_kind(model) for model in models)])


def _kind(model: type[Resource]) -> str:
    schema, names = object_schema(model), model.NAMES
    lines = [f"## {names.kind}", "", schema["description"], ""]
    lines += [f"Short name `{'`, `'.join(names.short_names)}`, plural `{names.plural}`.", ""]
    for part in ("spec", "status"):
        lines += [f"### {names.kind} {part}", "", schema["properties"][part]["description"], "", *_table(schema, part)]
    lines += [f"### What the API server refuses in a {names.kind}", ""]
    lines += _refusals(schema)
    return "\n".join(lines) + "\n"


def _table(schema: Schema, part: str) -> list[str]:
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for path, field, required in _fields(schema["properties"][part], part):
        default = "required" if required else _default(field)
        rows.append(f"| `{path}` | {_type(field)} | {default} | {_escape(field.get('description', ''))} |")
    return [*rows, ""]


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field, name in schema.get("required", [])
        inner, suffix = _inner(field)
        yield from _fields(inner, f"{path}.{name}{suffix}")


def _inner(field: Schema) -> tuple[Schema, str]:
    if "items" in field:
        return field["items"], "[]"
    if "additionalProperties" in field:
        return field["additionalProperties"], ".*"
    return field, ""


def _default(field: Schema) -> str:
    default = field.get("default", "")
    return f"`{default}`" if default not in ("", {}) else ""


def _type(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "x-kubernetes-int-or-string" in field:
        return "quantity"
    if DURATION_RULE.to_schema() in field.get(VALIDATIONS, []):
        return "duration"
    name = field.get("format", field["type"])
    if "items" in field:
        return f"list of {_type(field['items'])}, {_range(field, 'minItems', 'maxItems')}".rstrip(", ")
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}, {_range(field, 'minProperties', 'maxProperties')}"
    return f"{name} {_range(field, 'minimum', 'maximum')}".strip()


def _range(field: dict[str, Any], low: str, high: str) -> str:
    if high not in field:
        return f"from {field[low]}" if low in field else ""
    return f"{field[low]} to {field[high]}" if low in field else f"up to {field[high]}"


def _refusals(schema: Schema) -> list[str]:
    paths: dict[str, list[str]] = {}
    for path, message in _messages(schema, ""):
        paths.setdefault(message, []).append(f"`{path}`")
    return [f"- {', '.join(where)}: {_escape(message)}." for message, where in paths.items()]


def _messages(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get(VALIDATIONS, []):
        yield (path + rule.get("fieldPath", "")).lstrip(".") or "metadata.name", rule["message"]
    for name, field in schema.get("properties", {}).items():
        inner, suffix = _inner(field)
        yield from _messages({VALIDATIONS: field.get(VALIDATIONS, [])}, f"{path}.{name}")
        yield from _messages(inner if suffix else {"properties": field.get("properties", {})}, f"{path}.{name}{suffix}")


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
