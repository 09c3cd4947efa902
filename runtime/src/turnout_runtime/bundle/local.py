"""Bundles as people name them: a folder, an archive, or a URL whose digest they know."""

from pathlib import Path

from turnout_runtime.bundle.archive import digest_archive
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.bundle.source import Bundle, obtain
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.errors import BundleNotFound


def open_bundle(where: str | Path, cache: Path, digest: str | None = None, progress: Progress = quiet) -> Bundle:
    """The bundle at a path, or at any URL that a deployment may have; unpacked below `cache` where it must be. Blocks.

    What comes from elsewhere needs its digest. Raises `BundleNotFound`, `DigestMismatch` or `BundleInvalid`.
    """
    if "://" in str(where):
        if digest is None:
            raise BundleNotFound(f"{where}: give the digest, too: `turnout bundle digest` prints it where it was built")
        return obtain(str(where), digest, None, cache, progress)
    path = Path(where).resolve()
    if not path.exists():
        raise BundleNotFound(f"{where} does not exist: give a bundle's folder or its .tar.gz")
    found = digest or (digest_folder(path) if path.is_dir() else digest_archive(path))
    return obtain(path.as_uri(), found, path, cache, progress)
