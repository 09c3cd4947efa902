"""Render manifests/*.yaml: `${NAME}` placeholders become digests and images, bundles become ConfigMaps."""

import base64
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from flight_delay.bundles import Bundle
from flight_delay.data import planes

NAMESPACE = "flights"
FOLDER = Path(__file__).parents[1] / "manifests"
REGISTRY = Path(__file__).parents[1] / "plane_registry.py"
CONFIG_MAP_LIMIT = 900 * 1024  # bytes of a packed bundle: base64 and its metadata must fit the API server's 1 MiB


@dataclass(frozen=True)
class Images:
    """What the example's own services run from: one with redis-server and redis-cli, one with python3."""

    redis: str = "docker.io/library/redis:8-alpine"
    python: str = "docker.io/library/python:3.13-alpine"


def write(built: Iterable[Bundle], out: Path, images: Images) -> None:
    """Everything to apply, with digests and images filled in, and the bundles themselves, into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    values = {"REDIS_IMAGE": images.redis, "PYTHON_IMAGE": images.python}
    for bundle in built:
        values[f"{bundle.name.upper()}_DIGEST"] = bundle.digest
        config_map = bundle_config_map(f"flight-delay-{bundle.name}", bundle.archive.read_bytes())
        (out / f"15-bundle-{bundle.name}.yaml").write_text(config_map)
        shutil.copyfile(bundle.archive, out / bundle.archive.name)
    (out / "05-plane-registry-data.yaml").write_text(registry_config_map())
    for name, text in render(values).items():
        (out / name).write_text(text)


def render(values: Mapping[str, str]) -> dict[str, str]:
    """File name -> YAML text; KeyError for a placeholder without a value."""
    return {path.name: Template(path.read_text()).substitute(values) for path in sorted(FOLDER.glob("*.yaml"))}


def bundle_config_map(name: str, archive: bytes) -> str:
    """A ConfigMap that delivers a packed bundle; ValueError when it is too large for one."""
    if len(archive) > CONFIG_MAP_LIMIT:
        raise ValueError(
            f"{name}: {len(archive)} bytes packed exceed {CONFIG_MAP_LIMIT}: deliver it by pvc:// or https://"
        )
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "binaryData": {"bundle.tar.gz": base64.b64encode(archive).decode()},
    }
    return yaml.safe_dump(manifest, sort_keys=False)


def registry_config_map() -> str:
    """A ConfigMap with the plane registry: its program and its table."""
    data = {
        REGISTRY.name: REGISTRY.read_text(),
        "planes.json": json.dumps(dict(planes()), separators=(",", ":"), sort_keys=True),
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "plane-registry", "namespace": NAMESPACE},
        "data": data,
    }
    return yaml.safe_dump(manifest, sort_keys=False)


def fact_fallbacks() -> dict[str, dict[str, Any]]:
    """Fact name -> what the challenger's manifest declares for when the fact is late or unknown."""
    spec = yaml.safe_load((FOLDER / "21-challenger.yaml").read_text())["spec"]
    return {name: source["fallback"] for name, source in spec["facts"].items()}
