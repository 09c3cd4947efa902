"""A folder of images (OCI image layout): layers that images share are kept, and loaded, once."""

import io
import json
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Any

NAME = "org.opencontainers.image.ref.name"


class Layout:
    """An OCI image layout, as buildah pushes to it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def manifests(self) -> list[dict[str, Any]]:
        """The index's entries, oldest first."""
        index = self.root / "index.json"
        entries: list[dict[str, Any]] = json.loads(index.read_text())["manifests"] if index.exists() else []
        return entries

    def names(self) -> list[str]:
        """Return the names of the images, oldest first."""
        return [entry["annotations"][NAME] for entry in self.manifests]

    def blobs(self, entry: dict[str, Any]) -> list[str]:
        """Return the digests that make up one image: its manifest, its configuration, its layers from the base up."""
        manifest = json.loads(self.path(entry["digest"]).read_text())
        return [entry["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]

    def path(self, digest: str) -> Path:
        """Return the file of a digest."""
        return self.root / "blobs" / digest.replace(":", "/")

    def size_above_base(self, name: str) -> int:
        """Return the unpacked bytes of all layers but the first."""
        entry = next(entry for entry in self.manifests if entry["annotations"][NAME] == name)
        return sum(unpacked_size(self.path(digest)) for digest in self.blobs(entry)[3:])

    def export(self, names: Collection[str], without: Collection[str], target: IO[bytes]) -> None:
        """Write an archive of the images `names` that leaves out the blobs which the reader has already."""
        entries = [entry for entry in self.manifests if entry["annotations"][NAME] in names]
        digests = dict.fromkeys(digest for entry in entries for digest in self.blobs(entry))
        with tarfile.open(fileobj=target, mode="w|") as archive:
            _add(archive, "oci-layout", {"imageLayoutVersion": "1.0.0"})
            _add(archive, "index.json", {"schemaVersion": 2, "manifests": entries})
            for digest in digests:
                if digest not in without:
                    archive.add(self.path(digest), f"blobs/{digest.replace(':', '/')}")

    def prune(self, keep: int) -> list[str]:
        """Keep the newest `keep` images of each repository; return the names of those that went."""
        kept = newest(self.names(), keep)
        entries = [entry for entry in self.manifests if entry["annotations"][NAME] in kept]
        gone = [name for name in self.names() if name not in kept]
        (self.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        used = {digest.partition(":")[2] for entry in entries for digest in self.blobs(entry)}
        for blob in (self.root / "blobs" / "sha256").iterdir():
            if blob.name not in used:
                blob.unlink()
        return gone


def newest(names: Iterable[str], keep: int) -> set[str]:
    """Return the last `keep` of `names` for each repository, which is a name without its tag."""
    tags: dict[str, list[str]] = {}
    for name in names:
        tags.setdefault(name.rpartition(":")[0], []).append(name)
    return {name for group in tags.values() for name in group[-keep:]}


def unpacked_size(layer: Path) -> int:
    """Return a gzip file's unpacked size, as its last four bytes tell it (modulo 4 GiB)."""
    with layer.open("rb") as file:
        file.seek(-4, io.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def _add(archive: tarfile.TarFile, name: str, document: dict[str, Any]) -> None:
    data = json.dumps(document).encode()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
