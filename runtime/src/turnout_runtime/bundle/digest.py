"""The identity of a bundle: a hash over its files, whatever they are packed in.

The same figure comes from
`find . -type f | sed 's|^\\./||' | LC_ALL=C sort | xargs sha256sum | sha256sum` in the bundle's folder.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import IO

PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(hashes: Mapping[str, str]) -> str:
    """Digest (`sha256:<hex>`) of a bundle, from the sha256 hex of each file by its relative posix path."""
    ordered = sorted(hashes.items(), key=lambda item: item[0].encode())
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in ordered)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def sha256_of(stream: IO[bytes]) -> str:
    """Hex sha256 of what is left in the stream."""
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # IO[bytes] reads as it needs
