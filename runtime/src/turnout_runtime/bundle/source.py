"""From what the deployment names to a verified folder, kept in a cache under the bundle's own digest."""

import asyncio
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from turnout_runtime.bundle.archive import unpack
from turnout_runtime.bundle.download import download
from turnout_runtime.bundle.manifest import FILE, Manifest, check_files, parse
from turnout_runtime.bundle.tree import digest_folder, files_in
from turnout_runtime.errors import BundleInvalid, BundleNotFound, DigestMismatch


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose digest was checked."""

    folder: Path
    manifest: Manifest
    digest: str


def obtain(uri: str, digest: str, path: Path | None, cache: Path) -> Bundle:
    """The verified bundle at `path`, or the one that `uri` (http or https) leads to when there is no path. Blocks.

    Raises `BundleNotFound`, `DigestMismatch` or `BundleInvalid`. Nothing is ever in the cache under its digest that
    is not complete, and what is there is verified again: a cache can outlive a crash.
    """
    try:
        if path is not None and path.is_dir():
            _check(digest, digest_folder(path))
            return _open(path, digest)
        if path is not None and not path.is_file():
            raise BundleNotFound(_missing(uri))
        with _locked(cache):
            return _from_archive(uri, digest, path, cache / digest.removeprefix("sha256:"))
    except OSError as error:
        raise BundleInvalid(f"cannot unpack or read the bundle: {error}") from error


def _from_archive(uri: str, digest: str, path: Path | None, folder: Path) -> Bundle:
    if not (folder.is_dir() and digest_folder(folder) == digest):
        archive = path or folder.with_name(f".{folder.name}.download")
        try:
            if path is None:
                asyncio.run(download(uri, archive))
            _install(archive, digest, folder)
        finally:
            if path is None:
                archive.unlink(missing_ok=True)
    return _open(folder, digest)


def _missing(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    name, _, item = rest.partition("/")
    if scheme == "configmap":
        return f"{uri}: create ConfigMap {name!r} with the key {item or 'bundle.tar.gz'!r} in this namespace"
    return f"{uri}: PersistentVolumeClaim {name!r} has no file or folder {item!r}"


def _install(archive: Path, digest: str, folder: Path) -> None:
    """Unpack beside the final place, verify, and only then move there."""
    staging = folder.with_name(f".{folder.name}.unpack")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        staging.mkdir()
        unpack(archive, staging)
        _check(digest, digest_folder(staging))
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _open(folder: Path, digest: str) -> Bundle:
    manifest_file = folder / FILE
    if not manifest_file.is_file():
        raise BundleInvalid(f"no {FILE} at the bundle's root")
    manifest = parse(manifest_file.read_bytes())
    check_files(manifest, files_in(folder))
    return Bundle(folder, manifest, digest)


def _check(wanted: str, got: str) -> None:
    if wanted != got:
        raise DigestMismatch(
            f"wanted {wanted}, got {got}: set spec.bundle.digest to what `turnout bundle digest` prints, or restore"
            " the bundle that was meant"
        )


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """One process at a time changes a cache that several may share."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
