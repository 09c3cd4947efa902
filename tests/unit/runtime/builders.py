"""Builders of what the runtime's tests need, with overrides."""

import io
import tarfile
from pathlib import Path
from typing import Any

BUNDLES = Path(__file__).parents[2] / "data" / "bundles"
DIGEST = "sha256:" + "a" * 64

MANIFEST = b"""
apiVersion: bundle.turnout.dev/v1alpha1
name: made
version: "1"
workflow: workflow:Made
"""
WORKFLOW = b"""
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    def decide(self, ctx, score):
        return Decision("made", score, 1.0)
"""


def write_bundle(folder: Path, **files: bytes) -> Path:
    """A minimal bundle under `folder`; `files` by name, with `_` for `.` (workflow_py=…), replace or add."""
    contents = {"bundle.yaml": MANIFEST, "workflow.py": WORKFLOW}
    contents.update({name.replace("__", "/").replace("_", "."): text for name, text in files.items()})
    return write_files(folder, contents)


def write_files(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def runtime_config(tmp: Path, **overrides: Any) -> dict[str, Any]:
    """What the operator writes to runtime.json; `overrides` replace whole sections."""
    return {
        "namespace": "demo",
        "modelDeployment": "echo",
        "revision": "echo-1a2b3c4d",
        "bundle": {"uri": "pvc://claim/echo", "digest": DIGEST, "path": str(BUNDLES / "echo")},
        "serving": {
            "concurrency": 8,
            "maxQueueDepth": 64,
            "maxQueueWaitSeconds": 0.05,
            "timeoutSeconds": 1.0,
            "drainSeconds": 0.0,
        },
        "facts": {},
        "predictionLog": {"directory": str(tmp / "log"), "maxFileBytes": 1_000_000, "maxFiles": 4},
        **overrides,
    }
