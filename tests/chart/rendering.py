"""Runs Helm on the chart and finds its way in what comes out."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "turnout"
NAMESPACE = "turnout-system"

Object = dict[str, Any]


class Manifests:
    """Rendered objects by kind and name."""

    def __init__(self, objects: list[Object]) -> None:
        self.all = objects

    def get(self, kind: str, name: str) -> Object:
        """The one object of this kind and name."""
        (found,) = (each for each in self.kind(kind) if each["metadata"]["name"] == name)
        return found

    def kind(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [each for each in self.all if each["kind"] == kind]

    def pods(self) -> Iterator[tuple[str, Object]]:
        """Each pod with a name for it: of workloads its template, of hooks the pod itself."""
        for each in self.all:
            template = each if each["kind"] == "Pod" else each.get("spec", {}).get("template")
            if template:
                yield f"{each['kind']}/{each['metadata']['name']}", template


@cache
def helm_program() -> str:
    """Helm of the test tools, or else the one on PATH."""
    built = ROOT / ".cluster" / "bin" / "helm"
    found = str(built) if built.exists() else shutil.which("helm")
    assert found, "Helm is not there: run `make tools`"
    return found


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Helm, whatever comes of it."""
    return subprocess.run([helm_program(), *arguments], capture_output=True, text=True)


def template(namespace: str = NAMESPACE, **values: Any) -> "subprocess.CompletedProcess[str]":
    """`helm template` with values by dotted name, `__` for a dot."""
    sets = [f"--set-json={name.replace('__', '.')}={json.dumps(value)}" for name, value in values.items()]
    return helm("template", "turnout", str(CHART), "--namespace", namespace, *sets)


def render(namespace: str = NAMESPACE, **values: Any) -> Manifests:
    """The objects that the chart renders to."""
    done = template(namespace, **values)
    assert done.returncode == 0, done.stderr
    return Manifests([each for each in yaml.safe_load_all(done.stdout) if each])
