"""The CustomResourceDefinitions as manifests, made from the models."""

from typing import Any

from turnout_operator.api.meta import GROUP, VERSION, Resource
from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_operator.api.schema import VALIDATIONS, Column, Names
from turnout_operator.api.structural import Schema, structural

KINDS: tuple[type[Resource], ...] = (ModelDeployment, RoutingPolicy)
CATEGORY = "turnout"

# The API server describes these itself; the name is there for the rules' fieldPath alone.
_TYPE_META = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
}


def object_schema(model: type[Resource]) -> Schema:
    """The structural schema of a whole object of the kind."""
    schema = model.model_json_schema(by_alias=True)
    whole = structural(schema, schema.get("$defs", {}))
    parts = {name: whole["properties"][name] for name in ("spec", "status")}
    rules = {VALIDATIONS: whole[VALIDATIONS]} if VALIDATIONS in whole else {}
    return {
        "description": whole["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {**_TYPE_META, **parts},
        **rules,
    }


def manifest(model: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    names = model.NAMES
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.kind,
                "listKind": f"{names.kind}List",
                "plural": names.plural,
                "singular": names.singular,
                "shortNames": list(names.short_names),
                "categories": [CATEGORY],
            },
            "versions": [_version(model)],
        },
    }


def _version(model: type[Resource]) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": _subresources(model.NAMES),
        "additionalPrinterColumns": [_column(column) for column in model.NAMES.columns],
        "schema": {"openAPIV3Schema": object_schema(model)},
    }


def _subresources(names: Names) -> dict[str, Any]:
    if names.scale is None:
        return {"status": {}}
    paths = {
        "specReplicasPath": names.scale.spec_replicas,
        "statusReplicasPath": names.scale.status_replicas,
        "labelSelectorPath": names.scale.selector,
    }
    return {"status": {}, "scale": paths}


def _column(column: Column) -> dict[str, Any]:
    entry = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
    }
    return {**entry, "priority": column.priority} if column.priority else entry
