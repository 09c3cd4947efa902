"""versitygw: a real S3 server over a folder."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store
from tests.cluster.programs import Program, build
from tests.peers.daemons import daemon, free_port

VERSITYGW = Program("versitygw", "github.com/versity/versitygw/cmd/versitygw@v1.8.0")
ACCESS_KEY, SECRET_KEY = "AKIATURNOUTTESTS", "s3cret-of-the-store"
BUCKET = "models"


@dataclass(frozen=True)
class ObjectStore:
    port: int
    folder: Path

    def environment(self, port: int | None = None, secret: str = SECRET_KEY) -> dict[str, str]:
        """What a pod gets from its Secret."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }

    def put(self, key: str, content: bytes) -> str:
        """Store an object; its URI."""
        store = S3Store(
            BUCKET,
            endpoint=f"http://127.0.0.1:{self.port}",
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region="us-east-1",
            client_options={"allow_http": True, "timeout": timedelta(seconds=20)},
        )
        obstore.put(store, key, content)
        return f"s3://{BUCKET}/{key}"

    def put_folder(self, prefix: str, folder: Path) -> str:
        """Store every file of a folder; the URI of the prefix."""
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"s3://{BUCKET}/{prefix}/"


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    port = free_port()
    with serving_store(folder, port):
        yield ObjectStore(port, folder / "data" / BUCKET)


@contextmanager
def serving_store(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """The server's process until the end of the block; what it has stored stays."""
    data, meta = folder / "data", folder / "meta"
    for made in (data / BUCKET, meta):
        made.mkdir(parents=True, exist_ok=True)
    argv = [str(build(VERSITYGW)), "--port", f"127.0.0.1:{port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY]
    with daemon([*argv, "posix", "--sidecar", str(meta), str(data)], port, folder / "versitygw.log") as process:
        yield process
