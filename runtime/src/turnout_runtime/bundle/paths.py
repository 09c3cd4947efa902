"""Which paths a bundle may hold. Pure.

A path must read the same in a tar, on disk and in the digest's lines, so anything that a tool could interpret
(absolute, `..`, control characters, backslashes) is refused rather than normalised.
"""

import re
from collections.abc import Iterable

from turnout_runtime.errors import BundleInvalid

MAX_BYTES = 2 * 1024**3
MAX_FILES = 10_000

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


def check_path(path: str) -> str:
    """Return the relative posix path as it is; raise `BundleInvalid` when it may not be in a bundle."""
    parts = path.split("/")
    if not path or path.startswith("/") or "" in parts or "." in parts or ".." in parts:
        raise BundleInvalid(f"unsafe path {path!r} in the bundle: only relative paths inside it are allowed")
    if len(path) > 1024 or _UNSAFE.search(path):
        raise BundleInvalid(f"unsafe path {path!r} in the bundle: control characters, backslashes or too long")
    if "__pycache__" in parts:
        raise BundleInvalid(f"compiled file {path!r} in the bundle: delete its __pycache__ folders first")
    return path


class Budget:
    """Counts files and bytes against the limits of an unpacked bundle."""

    def __init__(self, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        self.max_files, self.max_bytes = max_files, max_bytes
        self.files = self.folders = self.bytes = 0

    def add(self, path: str, size: int) -> None:
        """Count one file of `size` bytes; raise `BundleInvalid` beyond a limit."""
        self.files += 1
        self.bytes += size
        if self.files > self.max_files:
            raise BundleInvalid(f"the bundle has more than {self.max_files} files")
        if self.bytes > self.max_bytes:
            raise BundleInvalid(f"the bundle is larger than {self.max_bytes} bytes unpacked (at {path!r})")

    def add_folder(self) -> None:
        """Count one folder; raise `BundleInvalid` beyond as many as there may be files."""
        self.folders += 1
        if self.folders > self.max_files:
            raise BundleInvalid(f"the bundle has more than {self.max_files} folders")


def check_no_clash(paths: Iterable[str]) -> None:
    """Raise `BundleInvalid` when a path is both a file and a folder."""
    known = set(paths)
    for path in known:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in known:
                raise BundleInvalid(f"{'/'.join(parts[:end])!r} is both a file and a folder in the bundle")
