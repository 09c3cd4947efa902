"""Bundles as folders."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from turnout_runtime.bundle.digest import digest_of, sha256_of
from turnout_runtime.bundle.paths import Budget, check_path
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.errors import BundleInvalid


def files_in(folder: Path, budget: Budget | None = None) -> list[str]:
    """Relative posix paths of the folder's regular files, in digest order.

    Raises `BundleInvalid` for a symlink, a device, an unsafe path or too much of anything.
    """
    limits = budget or Budget()
    found = []
    for entry, path in _entries(folder, ""):
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            raise BundleInvalid(f"{path!r} in the bundle is not a regular file (symlinks and devices are refused)")
        limits.add(check_path(path), entry.stat(follow_symlinks=False).st_size)
        found.append(path)
    return sorted(found, key=str.encode)


def _entries(folder: Path, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), f"{path}/")
            else:
                yield entry, path


def hash_folder(folder: Path, progress: Progress = quiet) -> dict[str, str]:
    """sha256 hex of each file of a bundle folder by its path, in digest order; raises `BundleInvalid`."""
    budget, hashes = Budget(), {}
    paths = files_in(folder, budget)
    with progress("checking the bundle's files", budget.bytes, "B") as tell:
        for path in paths:
            with (folder / path).open("rb") as stream:
                hashes[path] = sha256_of(stream, tell)
    return hashes


def copy_folder(folder: Path, target: Path) -> None:
    """Copy a bundle's files to a folder that is made; raises `BundleInvalid`."""
    target.mkdir()
    for path in files_in(folder):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target / path, follow_symlinks=False)


def digest_folder(folder: Path) -> str:
    """Digest of a bundle folder; raises `BundleInvalid`."""
    return digest_of(hash_folder(folder))
