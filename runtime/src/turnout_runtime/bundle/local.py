"""Bundles as people name them: a folder, an archive, or a URL whose digest they know."""

from pathlib import Path

from turnout_runtime.bundle.archive import digest_archive
from turnout_runtime.bundle.digest import digest_of
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.bundle.remote.http import public
from turnout_runtime.bundle.source import Bundle, checked, obtain
from turnout_runtime.bundle.tree import digest_folder, hash_folder
from turnout_runtime.errors import BundleNotFound


def open_bundle(where: str | Path, cache: Path, digest: str | None = None, progress: Progress = quiet) -> Bundle:
    """The bundle at a path, or at any URL that a deployment may have; unpacked below `cache` where it must be. Blocks.

    What comes from elsewhere needs its digest. Raises `BundleNotFound`, `DigestMismatch` or `BundleInvalid`.
    """
    if "://" in str(where):
        if digest is None:
            told = f"{public(str(where))}: give the digest, too"
            raise BundleNotFound(f"{told}: `turnout bundle digest` prints it where it was built")
        return obtain(str(where), digest, None, cache, progress)
    path = existing(Path(where))
    if path.is_dir():
        hashes = hash_folder(path, progress)
        return checked(path, digest or digest_of(hashes), hashes)
    return obtain(path.as_uri(), digest or digest_archive(path), path, cache, progress)


def digest_at(where: Path) -> str:
    """The digest of a folder or an archive; raises `BundleNotFound` or `BundleInvalid`."""
    path = existing(where)
    return digest_folder(path) if path.is_dir() else digest_archive(path)


def existing(where: Path) -> Path:
    """The absolute path of what is there; raises `BundleNotFound`."""
    if not where.exists():
        raise BundleNotFound(f"{where} does not exist: give a bundle's folder or its .tar.gz")
    return where.resolve()
