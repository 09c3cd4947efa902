"""From what the deployment names to a verified folder, kept in a cache under the bundle's own digest."""

import fcntl
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from turnout_runtime.bundle.archive import unpack
from turnout_runtime.bundle.digest import digest_of
from turnout_runtime.bundle.manifest import FILE, Manifest, check_files, parse
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.bundle.remote import fetch
from turnout_runtime.bundle.tree import copy_folder, hash_folder
from turnout_runtime.errors import BundleInvalid, BundleNotFound, DigestMismatch

_log = logging.getLogger("turnout.bundle")
_FETCHED, _UNPACKED = ".fetched", ".unpacked"
_SHARED = "pvc://"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose digest, and the sha256 of whose files, were checked."""

    folder: Path
    manifest: Manifest
    digest: str


def obtain(uri: str, digest: str, path: Path | None, cache: Path, progress: Progress = quiet) -> Bundle:
    """The verified bundle at `path`, or the one that `uri` leads to when there is no path. Blocks.

    Raises `BundleNotFound`, `DigestMismatch` or `BundleInvalid`. Nothing is ever in the cache under its digest that
    is not complete, and what is there is verified again: a cache can outlive a crash. A folder that others may write
    to, on a volume, is copied there too: what is verified must be what is imported, and read later.
    """
    try:
        if path is not None and path.is_dir() and not uri.startswith(_SHARED):
            return checked(path, digest, hash_folder(path, progress))
        if path is not None and not path.exists():
            raise BundleNotFound(_missing(uri))
        with _locked(cache):
            return _from_cache(uri, digest, path, cache / digest.removeprefix("sha256:"), progress)
    except OSError as error:
        raise BundleInvalid(f"cannot unpack or read the bundle: {error}") from error


def _from_cache(uri: str, digest: str, path: Path | None, folder: Path, progress: Progress) -> Bundle:
    if (hashes := _cached(folder, digest, progress)) is not None:
        return checked(folder, digest, hashes)
    with _scratch(folder.with_name(f".{folder.name}{_FETCHED}")) as fetched:
        if path is None:
            _fetch(uri, fetched, progress)
        return _install(path or fetched, digest, folder, progress)


def _cached(folder: Path, digest: str, progress: Progress) -> dict[str, str] | None:
    """The files under the digest, if they are still those; whatever else is there is no reason not to start."""
    if not folder.is_dir():
        return None
    with suppress(BundleInvalid):
        hashes = hash_folder(folder, progress)
        if digest_of(hashes) == digest:
            return hashes
    _log.warning("the cached bundle was changed, and is replaced", extra={"digest": digest})
    return None


def _fetch(uri: str, target: Path, progress: Progress) -> None:
    started = time.monotonic()
    fetch(uri, target, progress)
    _log.info("bundle fetched", extra={"seconds": round(time.monotonic() - started, 3)})


def _install(source: Path, digest: str, folder: Path, progress: Progress) -> Bundle:
    """Complete the bundle beside its final place, verify it, and only then move it there."""
    with _scratch(folder.with_name(f".{folder.name}{_UNPACKED}")) as staging:
        if source.name.endswith(_FETCHED) and source.is_dir():
            source.rename(staging)
        elif source.is_dir():
            copy_folder(source, staging)
        else:
            staging.mkdir()
            unpack(source, staging)
        hashes = hash_folder(staging, progress)
        checked(staging, digest, hashes)
        _remove(folder)
        staging.rename(folder)
    return checked(folder, digest, hashes)


def _missing(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    name, _, item = rest.partition("/")
    match scheme:
        case "configmap":
            return f"{uri}: create ConfigMap {name!r} with the key {item or 'bundle.tar.gz'!r} in this namespace"
        case "image":
            return f"{uri}: the image is not mounted, or has no bundle where it is looked for"
        case "file":
            return f"{uri}: no such file or folder"
    return f"{uri}: PersistentVolumeClaim {name!r} has no file or folder {item!r}"


def checked(folder: Path, digest: str, hashes: dict[str, str]) -> Bundle:
    """The bundle in a folder whose files have these hashes; raises what `obtain` does for files that are not it."""
    _check(digest, digest_of(hashes))
    manifest_file = folder / FILE
    if FILE not in hashes:
        raise BundleInvalid(f"no {FILE} at the bundle's root")
    manifest = parse(manifest_file.read_bytes())
    check_files(manifest, hashes)
    return Bundle(folder, manifest, digest)


def _check(wanted: str, got: str) -> None:
    if wanted != got:
        raise DigestMismatch(
            f"wanted {wanted}, got {got}: set spec.bundle.digest to what `turnout bundle digest` prints, or restore"
            " the bundle that was meant"
        )


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A name for what is not complete yet; nothing is left there afterwards."""
    try:
        yield path
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """One process at a time changes a cache that several may share."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left_by_killed in [*cache.glob(f".*{_FETCHED}"), *cache.glob(f".*{_UNPACKED}")]:
            _remove(left_by_killed)
        yield
