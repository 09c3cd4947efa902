"""Cache keys: a short hash of everything that a result is made from."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

LENGTH = 12
IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def key(*parts: str, files: Iterable[Path] = (), base: Path | None = None) -> str:
    """Return 12 hex digits over `parts` and over the names and bytes of `files`.

    Names count relative to `base`, so that two checkouts of the same sources have the same key.
    """
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part.encode())
    for path in sorted(files):
        _add(digest, str(path.relative_to(base) if base else path).encode())
        _add(digest, path.read_bytes())
    return digest.hexdigest()[:LENGTH]


def sources(*roots: Path) -> list[Path]:
    """Return the regular files at and below `roots`, without what tools leave behind."""
    found: set[Path] = set()
    for root in roots:
        candidates = [root] if root.is_file() else root.rglob("*")
        found.update(path for path in candidates if path.is_file() and not IGNORED & set(path.parts))
    return sorted(found)


def _add(digest: "hashlib._Hash", data: bytes) -> None:
    digest.update(len(data).to_bytes(8, "big"))
    digest.update(data)
