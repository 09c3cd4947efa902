"""`kubectl turnout route` asks the API server of the kubeconfig for the policy and the ModelDeployments."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

_API = "/apis/serving.turnout.dev/v1alpha1/namespaces/shop"
REVISION = "checkout-0123abcd"


def deployment(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {}, "status": status}


OBJECTS = {
    f"{_API}/routingpolicies/checkout": {
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"arms": [{"name": "main", "modelDeployment": "checkout"}]},
        "status": {"policyVersion": "older", "gateways": {"connected": 2, "acked": 2}},
    },
    f"{_API}/modeldeployments": {
        "items": [deployment("checkout", latestReadyRevision=REVISION), deployment("other")],
    },
}


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = OBJECTS.get(self.path) if self.headers["authorization"] == "Bearer secret" else None
        body = found or {"kind": "Status", "reason": "NotFound", "message": "not found"}
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever).start()
    context = {"cluster": "c", "user": "u", "namespace": "shop"}
    content = {
        "current-context": "elsewhere",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [
            {"name": "shop", "context": context},
            {"name": "elsewhere", "context": {**context, "namespace": "other"}},
        ],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(content))
    yield tmp_path / "config"
    server.shutdown()
    server.server_close()


def ask(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "turnout_operator.cli", "route", *arguments]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_policy_of_the_cluster(kubeconfig: Path) -> None:
    done = ask(kubeconfig, "checkout", "--context", "shop", "-o", "json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["arm"], said["revision"], said["assumedReady"]) == (0, "main", REVISION, [])
    assert said["confirmed"] is False  # the version that the gateways have is another one
    OBJECTS[f"{_API}/routingpolicies/checkout"]["status"]["policyVersion"] = said["policy"]["version"]
    done = ask(kubeconfig, "checkout", "-n", "shop")
    assert f"version {said['policy']['version']}, confirmed by all gateways\n" in done.stdout


def test_no_such_policy(kubeconfig: Path) -> None:
    done = ask(kubeconfig, "checkout")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "turnout: there is no RoutingPolicy checkout in namespace other: `kubectl get rp -A`\n"


def test_no_server(kubeconfig: Path, tmp_path: Path) -> None:
    text = kubeconfig.read_text().replace("http://127.0.0.1:", "http://127.0.0.1:1/")
    (tmp_path / "down").write_text(text)
    assert "turnout: the API server: " in ask(tmp_path / "down", "checkout").stderr
    assert "turnout: no cluster: " in ask(tmp_path / "gone", "checkout").stderr
