"""The generated CRDs: structural, bounded, described, and as committed."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from turnout_operator.api import manifest as manifests
from turnout_operator.api.crd import drift, files, main
from turnout_operator.api.manifest import KINDS, manifest
from turnout_operator.api.meta import Resource
from turnout_operator.api.structural import structural

object_schema = cache(manifests.object_schema)
ROOT = Path(__file__).parents[3]
CASES = yaml.safe_load((ROOT / "tests" / "e2e" / "admission_cases.yaml").read_text())
MODELS = {kind.NAMES.kind: kind for kind in KINDS}

# https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
ALLOWED = {
    "description", "type", "format", "default", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "minProperties", "maxProperties", "properties", "additionalProperties", "items", "required", "anyOf",
    "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
}  # fmt: skip
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
Node = tuple[str, dict[str, Any]]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[Node]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}.{key}")


PLAIN_VALUES = (
    "nodeSelector.additionalProperties", "card.additionalProperties", "args.items", "keyFields.items", "features.items",
    "redact.items", "hash.fields.items", "predictionLog.headers.items", "brokers.items", "values.items",
    "failures.items",
)  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAMES.kind)


def broken(node: dict[str, Any]) -> bool:
    """Whether a node is not structural."""
    mixed = "properties" in node and "additionalProperties" in node
    unknown_required = set(node.get("required", [])) - set(node.get("properties", {}))
    if "x-kubernetes-int-or-string" in node:
        untyped = "type" in node or node["anyOf"] != INT_OR_STRING
    else:
        untyped = not isinstance(node.get("type"), str) or "anyOf" in node
    return bool(set(node) - ALLOWED or mixed or unknown_required or untyped)


@every_kind
def test_structural(kind: type[Resource]) -> None:
    assert [path for path, node in nodes(object_schema(kind)) if broken(node)] == []


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"$ref": "#/$defs/A", "type": "object"},
        {"type": ["string", "null"]},
        {"type": "object", "additionalProperties": {"type": "string"}, "properties": {}},
        {"type": "object", "required": ["a"]},
        {"type": "string", "anyOf": INT_OR_STRING},
        {"type": "string", "nullable": True},
        {"type": "string", "x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING},
    ],
)
def test_the_check_itself_finds(node: dict[str, Any]) -> None:
    assert broken(node)


def unbounded(node: dict[str, Any]) -> bool:
    """Whether CEL's cost of a rule on the node has no bound."""
    if node.get("type") == "string":
        return not ({"maxLength", "enum"} & set(node) or node.get("format") == "date-time")
    bounds = {
        "x-kubernetes-int-or-string": "maxLength",
        "items": "maxItems",
        "additionalProperties": "maxProperties",
        "x-kubernetes-preserve-unknown-fields": "maxProperties",
    }
    return any(key in node and bound not in node for key, bound in bounds.items())


@every_kind
def test_bounded(kind: type[Resource]) -> None:
    """All but what the API server bounds itself."""
    schema = object_schema(kind)
    assert [path for path, node in nodes(schema) if unbounded(node)] == [".apiVersion", ".kind", ".metadata.name"]


@every_kind
def test_described(kind: type[Resource]) -> None:
    for path, node in nodes(object_schema(kind)):
        if path.startswith((".apiVersion", ".kind", ".metadata")) or path.endswith(PLAIN_VALUES):
            continue
        assert node["description"].endswith("."), path
        assert "\n" not in node["description"], path
        if node.get("default") not in (None, {}, ""):
            assert f"Default: {node['default']}." in node["description"], path


@every_kind
def test_rules_are_complete(kind: type[Resource]) -> None:
    for path, node in nodes(object_schema(kind)):
        for rule in node.get("x-kubernetes-validations", []):
            assert set(rule) <= {"rule", "message", "messageExpression", "fieldPath", "reason"}, path
            assert rule["message"], path
            assert "\n" not in rule["message"] + rule["rule"], path


@every_kind
def test_list_map_keys_are_required(kind: type[Resource]) -> None:
    for path, node in nodes(object_schema(kind)):
        assert set(node.get("x-kubernetes-list-map-keys", [])) <= set(node.get("items", {}).get("required", [])), path


def test_unknown_fields_only_where_anything_goes() -> None:
    anything = [
        path
        for kind in KINDS
        for path, node in nodes(object_schema(kind))
        if "x-kubernetes-preserve-unknown-fields" in node
    ]
    assert anything == [".spec.facts.additionalProperties.plugin.options", ".spec.facts.additionalProperties.fallback"]


@every_kind
def test_status_has_no_defaults(kind: type[Resource]) -> None:
    assert all("default" not in node for _, node in nodes(object_schema(kind)["properties"]["status"]))


def with_defaults(schema: dict[str, Any], value: Any) -> Any:
    """What the API server stores: nulls pruned, defaults filled in."""
    if isinstance(value, list):
        return [with_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "x-kubernetes-preserve-unknown-fields" in schema:
        return value
    if "additionalProperties" in schema:
        return {key: with_defaults(schema["additionalProperties"], item) for key, item in value.items()}
    given = {key: item for key, item in value.items() if item is not None}
    fields = schema.get("properties", {})
    defaults = {key: field["default"] for key, field in fields.items() if "default" in field}
    return {key: with_defaults(fields.get(key, {}), item) for key, item in (defaults | given).items()}


@pytest.mark.parametrize("name", CASES["accepted"])
def test_defaults_are_the_models(name: str) -> None:
    """An object read back from the API server equals the one that was applied."""
    document = CASES["accepted"][name]
    kind = MODELS[document["kind"]]
    stored = with_defaults(object_schema(kind), document)
    assert kind.model_validate(stored) == kind.model_validate(document)
    again = with_defaults(object_schema(kind), stored)
    assert again == stored


@pytest.mark.parametrize("name", CASES["accepted"])
def test_written_objects_fit_the_schema(name: str) -> None:
    document = CASES["accepted"][name]
    kind = MODELS[document["kind"]]
    written = kind.model_validate(document).model_dump(mode="json", exclude_none=True)
    jsonschema.validate(written, object_schema(kind))


@every_kind
def test_manifest(kind: type[Resource]) -> None:
    document = manifest(kind)
    names = document["spec"]["names"]
    assert document["metadata"]["name"] == f"{names['plural']}.serving.turnout.dev"
    assert names["categories"] == ["turnout"]
    version = document["spec"]["versions"][0]
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert {"Ready", "Reason", "Age"} < set(columns)
    assert "status" in version["subresources"]


def test_scale_of_model_deployments() -> None:
    subresources = manifest(MODELS["ModelDeployment"])["spec"]["versions"][0]["subresources"]
    assert subresources["scale"] == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }


def test_committed_files_are_as_generated() -> None:
    assert drift(ROOT / "crds", files(ROOT / "crds", ROOT / "docs" / "reference.md")) == []


def test_check_names_every_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, page = tmp_path / "crds", tmp_path / "reference.md"
    arguments = [str(folder), str(page)]
    assert main(arguments) == 0
    assert main([*arguments, "--check"]) == 0
    (folder / "modeldeployments.yaml").write_text("changed")
    (folder / "olds.yaml").write_text("")
    page.unlink()
    capsys.readouterr()
    assert main([*arguments, "--check"]) == 1
    told = capsys.readouterr().err
    assert "modeldeployments.yaml: differs" in told
    assert "olds.yaml: left over" in told
    assert "reference.md: missing" in told


def test_manifests_have_no_anchors() -> None:
    assert all("&id" not in text and "*id" not in text for text in files(Path("crds"), None).values())


def test_unions_are_refused() -> None:
    with pytest.raises(ValueError, match="no unions"):
        structural({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {})


def test_reference_lists_every_field() -> None:
    page = files(Path("crds"), Path("reference.md"))[Path("reference.md")]
    for kind in KINDS:
        for path, _ in nodes(object_schema(kind)):
            field = path.lstrip(".").replace(".additionalProperties", ".*").replace(".items", "[]")
            if field.startswith(("spec.", "status.")) and not field.endswith(("[]", "*")):
                assert f"| `{field}` |" in page
