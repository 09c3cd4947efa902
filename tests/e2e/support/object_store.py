"""A real S3 server (versitygw) in a pod, which can be stopped and started while its files stay."""

import shlex
from collections.abc import Sequence
from typing import Any

from tests.cluster.programs import build
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.volumes import helper_pod
from tests.peers.object_store import ACCESS_KEY, SECRET_KEY, VERSITYGW

POD, PORT = "store", 7070
BUCKET = "logs"
FOLDER = "/tmp/data"
_SERVER = (
    f"/tmp/versitygw --port :{PORT} --access {ACCESS_KEY} --secret {SECRET_KEY} posix --sidecar /tmp/meta {FOLDER}"
)
_LOOP = f"""
mkdir -p {FOLDER}/{BUCKET} /tmp/meta
while :; do
  if [ -e /tmp/on ]; then {_SERVER} & echo $! > /tmp/pid; wait; fi
  sleep 0.1
done
"""


class ObjectStore:
    """The server in a namespace; `claims` are mounted beside it at /NAME, to be looked at by `python`."""

    def __init__(self, namespace: Namespace, claims: Sequence[str] = ()) -> None:
        self._namespace = namespace
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": POD},
            "spec": {"selector": {"app": POD}, "ports": [{"port": PORT}]},
        }
        namespace.apply(helper_pod(POD, ["sh", "-c", _LOOP], claims=list(claims)), service, self.secret())
        namespace.run("wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=60s")
        self._do("cat > /tmp/versitygw && chmod 755 /tmp/versitygw", stdin=build(VERSITYGW).read_bytes())
        self.start()

    @property
    def sink(self) -> dict[str, Any]:
        """A sink's objectStore that reaches it."""
        return {
            "uri": f"s3://{BUCKET}/flights",
            "endpoint": f"http://{POD}.{self._namespace.name}.svc:{PORT}",
            "region": "us-east-1",
            "secretRef": {"name": POD},
        }

    @staticmethod
    def secret() -> dict[str, Any]:
        """The Secret that `sink` names."""
        data = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": POD}, "stringData": data}

    def start(self) -> None:
        """Let it answer."""
        self._do("touch /tmp/on")
        listens = "import socket; socket.create_connection(('127.0.0.1', 7070), 1)"
        eventually(lambda: self._succeeds(f"python3 -c {shlex.quote(listens)}"), 20)

    def stop(self) -> None:
        """Let it refuse connections."""
        self._do("rm /tmp/on; kill -KILL $(cat /tmp/pid)")

    def python(self, code: str) -> str:
        """Run Python beside the server's files; returns what it printed."""
        return self._do(f"python3 -c {shlex.quote(code)}")

    def _succeeds(self, command: str) -> None:
        assert self._do(f"{command} >/dev/null 2>&1 && echo yes || true").strip() == "yes"

    def _do(self, command: str, stdin: bytes | None = None) -> str:
        options = ["-i"] if stdin is not None else []
        return self._namespace.run("exec", *options, POD, "--", "sh", "-c", command, stdin=stdin)
