"""versitygw: a real S3 server over a folder."""

from pathlib import Path
from typing import Any

from benchmarks.harness.places import logs
from benchmarks.harness.processes import Process, free_port, listens
from tests.cluster.programs import build
from tests.peers.object_store import ACCESS_KEY, BUCKET, SECRET_KEY, VERSITYGW, ObjectStore

_PATIENCE = 20.0
_PREFIX = "lake"


class Store(Process):
    """A process; `root`: the folder with what is in it; `sink`: what ship.json says about it; `env`: credentials."""

    def __init__(self, name: str, core: int) -> None:
        port, folder = free_port(), logs() / name
        for part in (folder / "meta", folder / "data" / BUCKET):
            part.mkdir(parents=True)
        access = ["--port", f"127.0.0.1:{port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY]
        argv = [build(VERSITYGW), *access, "posix", "--sidecar", folder / "meta", folder / "data"]
        super().__init__(name, argv, core)
        self._port = port
        self.root: Path = folder / "data" / BUCKET / _PREFIX
        self.env = ObjectStore(port, self.root).environment()
        self.sink: dict[str, Any] = {
            "objectStore": {
                "uri": f"s3://{BUCKET}/{_PREFIX}",
                "endpoint": f"http://127.0.0.1:{port}",
                "region": "us-east-1",
                "allowHttp": True,
            }
        }

    def ready(self) -> None:
        """Wait until it takes connections."""
        self.wait_until(lambda: listens(self._port), _PATIENCE)
        self.remember()
