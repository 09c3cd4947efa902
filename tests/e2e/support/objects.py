"""Objects that the tests apply: bundles as ConfigMaps, ModelDeployments, RoutingPolicies."""

import base64
import tempfile
from pathlib import Path
from typing import Any

from demo.shell import run

ROOT = Path(__file__).parents[3]
BUNDLES = ROOT / "tests" / "data" / "bundles"
API = "serving.turnout.dev/v1alpha1"


def pack(name: str) -> tuple[bytes, str]:
    """The packed bundle and its digest, by the command that a user types."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "bundle.tar.gz"
        run(str(ROOT / ".venv/bin/turnout"), "bundle", "pack", str(BUNDLES / name), "-o", str(archive))
        digest = run(str(ROOT / ".venv/bin/turnout"), "bundle", "digest", str(archive)).strip()
        return archive.read_bytes(), digest


def bundle_config_map(name: str, archive: bytes) -> dict[str, Any]:
    data = {"bundle.tar.gz": base64.b64encode(archive).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "binaryData": data}


def model_deployment(name: str, digest: str, uri: str = "configmap://echo", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "bundle": {"uri": uri, "digest": digest},
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            **spec,
        },
    }


def arm(name: str, deployment: str, weight: float | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "modelDeployment": deployment, **({} if weight is None else {"weight": weight}), **more}


def routing_policy(name: str, *arms: dict[str, Any], **spec: Any) -> dict[str, Any]:
    spec = {"stickyBy": {"header": "x-entity-id"}, "arms": list(arms), **spec}
    return {"apiVersion": API, "kind": "RoutingPolicy", "metadata": {"name": name}, "spec": spec}
