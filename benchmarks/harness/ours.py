"""Turnout's runtime as a pod runs it: a bundle, a configuration, and everything on that a user would have on."""

import json
import shutil
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.metrics import Metrics, parse
from benchmarks.harness.places import logs
from benchmarks.harness.processes import free_port
from benchmarks.harness.servers import Dialect, Server
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
LOG_FILES: Mapping[str, Any] = {"maxFileBytes": 16 * 2**20, "maxFiles": 3}


class Turnout(Server):
    """A runtime process; its admin port is at `admin`, its prediction log in `records`."""

    def __init__(
        self,
        name: str,
        core: int,
        bundle: Path,
        dialect: Dialect,
        serving: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        prediction_log: Mapping[str, Any] | None = None,
        wrapper: tuple[object, ...] = (),
    ) -> None:
        """`wrapper`: words before the command, of a program that becomes or starts it."""
        self.folder, self.admin = logs() / name, free_port()
        port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        log = {"directory": str(self.folder / "log"), **LOG_FILES, **(prediction_log or {})}
        self.records = Path(log["directory"])
        config = self.folder / "runtime.json"
        config.write_text(json.dumps(_configuration(name, bundle, serving or {}, facts or {}, log)))
        flags = ["--config", config, "--cache", self.folder / "cache", "--host", "127.0.0.1"]
        ports = ["--port", str(port), "--admin-port", str(self.admin), "--grpc-port", "0"]
        argv = [*wrapper, sys.executable, "-m", "turnout_runtime", *flags, *ports]
        super().__init__(name, argv, port, dialect, core)

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def metrics(self) -> Metrics:
        """What it counts, now. Raises OSError."""
        return parse(fetch(self.admin))


def fetch(port: int) -> str:
    """/metrics of a process on loopback. Raises OSError."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        text: str = response.read().decode()
    return text


def fresh(folder: Path) -> Path:
    """The folder, without what an earlier server of that name left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def turnout(*words: object) -> str:
    """What the command prints. Raises ClusterError."""
    return run([Path(sys.executable).with_name("turnout"), *map(str, words)])


def _configuration(
    name: str, bundle: Path, serving: Mapping[str, Any], facts: Mapping[str, Any], log: Mapping[str, Any]
) -> dict[str, Any]:
    """runtime.json."""
    digest = turnout("bundle", "digest", bundle).strip()
    return {
        "namespace": "bench",
        "modelDeployment": name,
        "revision": f"{name}-1",
        "bundle": {"uri": f"file://{bundle}", "digest": digest, "path": str(bundle)},
        "serving": {**LIMITS, **serving},
        "facts": dict(facts),
        "predictionLog": dict(log),
    }
