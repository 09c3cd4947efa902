"""The API server's own OpenAPI v3 documents as JSON schemas for kubeconform, which can't download any here."""

import json
from pathlib import Path
from typing import Any

from demo.shell import kubectl

Json = Any
LOCATION = "{{.ResourceKind}}.json"  # kinds of the same name in two groups would need more


def write_schemas(folder: Path, api_versions: set[str]) -> str:
    """Write a strict schema for every kind of the API versions; returns kubeconform's -schema-location."""
    for version in api_versions:
        path = f"apis/{version}" if "/" in version else f"api/{version}"
        components = json.loads(kubectl("get", "--raw", f"/openapi/v3/{path}"))["components"]["schemas"]
        definitions = {name: _closed(schema) for name, schema in components.items()}
        for name, schema in components.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                file = folder / f"{kind['kind'].lower()}.json"
                file.write_text(json.dumps({"$ref": f"#/definitions/{name}", "definitions": definitions}))
    return str(folder / LOCATION)


def _closed(node: Json) -> Json:
    """The schema with references inside the file, and no property but the named ones."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    if isinstance(node.get("$ref"), str):
        closed["$ref"] = node["$ref"].replace("#/components/schemas/", "#/definitions/")
    return closed
