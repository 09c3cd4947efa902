"""What the chart's files promise without Helm: generated ones are current, and every value is described and held."""

import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "turnout"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
FREE = {"global", "nodeAffinity", "podAffinity", "podAntiAffinity"}  # Helm's and Kubernetes' own: checked by them


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of all that the generator reads and writes."""
    for folder in ("charts", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def generator(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, checkout / "charts/generate.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_generated_files_are_current() -> None:
    checked = generator(ROOT, "--check")
    assert checked.returncode == 0, checked.stdout


def test_each_kind_of_drift_is_named_and_mended(checkout: Path) -> None:
    (checkout / "crds/routingpolicies.yaml").write_text("changed: true\n")
    (checkout / "crds/modeldeployments.yaml").unlink()
    values = checkout / "charts/turnout/values.yaml"
    values.write_text(values.read_text().replace("drainSeconds: 10", "drainSeconds: 11"))
    found = generator(checkout, "--check")
    assert found.returncode == 1
    assert {line.split()[0] for line in found.stdout.splitlines()} == {
        "charts/turnout/files/crds/routingpolicies.yaml",
        "charts/turnout/files/crds/modeldeployments.yaml",
        "charts/turnout/README.md",
    }
    assert generator(checkout).returncode == 0
    assert generator(checkout, "--check").returncode == 0
    assert [path.name for path in (checkout / "charts/turnout/files/crds").iterdir()] == ["routingpolicies.yaml"]


def test_the_default_values_satisfy_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every subschema of the schema with its path."""
    if isinstance(node, dict):
        yield path, node
        for key, child in node.items():
            yield from nodes(child, f"{path}/{key}")


def test_every_object_of_the_schema_refuses_unknown_names() -> None:
    objects = {path: node for path, node in nodes(SCHEMA) if node.get("type") == "object"}
    groups = [node for node in objects.values() if "properties" in node]
    assert len(groups) >= 10
    assert all(node["additionalProperties"] is False for node in groups)
    assert {path.rsplit("/", 1)[-1] for path, node in objects.items() if "additionalProperties" not in node} == FREE


def test_every_value_has_a_description() -> None:
    described = []
    for path, node in nodes(SCHEMA):
        for name, child in node.get("properties", {}).items() if "/then" not in path and "/if" not in path else ():
            target = SCHEMA["$defs"].get(child.get("$ref", "").removeprefix("#/$defs/"), {})
            text = child.get("description") or target.get("description")
            assert text, f"{path}/{name} has no description"
            assert text.endswith("."), f"{path}/{name}"
            described.append(name)
    assert len(described) >= 40


def test_every_default_is_in_the_schema_and_every_value_has_a_default() -> None:
    table = runpy.run_path(str(ROOT / "charts/generate.py"))["values_table"](CHART)
    documented = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert documented == set(leaves(VALUES))


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        grouped = isinstance(value, dict) and value and name != "resources"
        yield from leaves(value, f"{prefix}{name}.") if grouped else [prefix + name]
