"""Turnout's runtime as a pod runs it: a bundle, a configuration, and everything on that a user would have on."""

import json
import shutil
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.runtime.environments import models
from benchmarks.runtime.places import HERE, LOGS
from benchmarks.runtime.processes import free_port
from benchmarks.runtime.servers import Dialect, Server, compact
from benchmarks.runtime.workload.requests import enveloped
from tests.cluster.shell import run

TIMEOUT = 0.1
"""Seconds that a request may take, in every section."""
LIMITS: Mapping[str, Any] = {
    "concurrency": 64,
    "maxQueueDepth": 64,
    "maxQueueWaitSeconds": 0.05,
    "timeoutSeconds": TIMEOUT,
    "drainSeconds": 0.0,
}
_LOG_FILE = {"maxFileBytes": 16 * 2**20, "maxFiles": 3}
_DIALECT = Dialect("/v1/bench/payments/predict", lambda payment: compact(enveloped(payment)), json.loads)


class Turnout(Server):
    """A runtime process; its admin port is at `admin`."""

    def __init__(
        self,
        name: str,
        core: int,
        bundle: str,
        model: str | None = None,
        serving: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """`bundle`: a folder below bundles/; `model`: what of the trained ones is in it."""
        self.folder, self.admin = LOGS / name, free_port()
        port = free_port()
        shutil.rmtree(self.folder, ignore_errors=True)
        source = assemble(bundle, model, self.folder / "bundle")
        config = self.folder / "runtime.json"
        config.write_text(json.dumps(configuration(self.folder, source, serving or {}, facts or {})))
        flags = ["--config", config, "--cache", self.folder / "cache", "--host", "127.0.0.1"]
        ports = ["--port", str(port), "--admin-port", str(self.admin), "--grpc-port", "0"]
        argv = [sys.executable, "-m", "turnout_runtime", *flags, *ports]
        super().__init__(name, argv, port, _DIALECT, core)

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False


def assemble(bundle: str, model: str | None, folder: Path) -> Path:
    """A bundle's own files, the workflow that all servers share, and a trained model under the name it expects."""
    shutil.copytree(HERE / "bundles" / bundle, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if model is not None:
        shutil.copy2(HERE / "workload" / "fraud.py", folder)
        shutil.copy2(models() / f"{model}.onnx", folder / "fraud.onnx")
    return folder


def configuration(folder: Path, bundle: Path, serving: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """runtime.json."""
    digest = run([Path(sys.executable).with_name("turnout"), "bundle", "digest", bundle]).strip()
    return {
        "namespace": "bench",
        "modelDeployment": bundle.parent.name,
        "revision": f"{bundle.parent.name}-1",
        "bundle": {"uri": f"file://{bundle}", "digest": digest, "path": str(bundle)},
        "serving": {**LIMITS, **serving},
        "facts": dict(facts),
        "predictionLog": {"directory": str(folder / "log"), **_LOG_FILE},
    }
