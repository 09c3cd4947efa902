"""Images in the node's containerd: the pause image, and what is imported by `images`."""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.cluster import settings
from tests.cluster.components import containerctl
from tests.cluster.oci import Layout
from tests.cluster.shell import ClusterError, run, tail


def pause_archive(program: bytes) -> bytes:
    """Return a docker-archive of an image that holds nothing but `program` as /pause."""
    layer = _tar({"pause": (program, 0o755)})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [settings.PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "layer.tar": layer,
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    return _tar({name: (data, 0o644) for name, data in files.items()})


def load_pause(program: Path) -> None:
    """Import the pause image unless the node has it."""
    if settings.PAUSE_IMAGE in names():
        return
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        archive.write(pause_archive(program.read_bytes()))
        archive.flush()
        run(containerctl("images", "import", archive.name))


def names() -> set[str]:
    """Return the names of the node's images."""
    return set(run(containerctl("images", "list", "--quiet")).split())


def load(layout: Layout, images: Collection[str]) -> None:
    """Import `images` of `layout`, sending only the layers that the node lacks."""
    present = set(run(containerctl("content", "list", "--quiet")).split())
    command = containerctl("images", "import", "-")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        if process.stdin is None or process.stderr is None:
            raise AssertionError("both are pipes")
        layout.export(images, present, process.stdin)
        process.stdin.close()
        errors = process.stderr.read().decode()
    if process.returncode:
        raise ClusterError(f"containerd refused the images:\n{tail(errors)}")


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
