"""The identity of a bundle: a hash over its files, whatever they are packed in.

The same figure comes from
`find . -type f | sed 's|^\\./||' | LC_ALL=C sort | xargs sha256sum | sha256sum` in the bundle's folder.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import IO

from turnout_runtime.bundle.progress import Tell

PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
_BLOCK = 1024**2


def digest_of(hashes: Mapping[str, str]) -> str:
    """Digest (`sha256:<hex>`) of a bundle, from the sha256 hex of each file by its relative posix path."""
    ordered = sorted(hashes.items(), key=lambda item: item[0].encode())
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in ordered)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def sha256_of(stream: IO[bytes], tell: Tell | None = None) -> str:
    """Hex sha256 of what is left in the stream; `tell` hears of each block's bytes."""
    found = hashlib.sha256()
    while block := stream.read(_BLOCK):
        found.update(block)
        if tell is not None:
            tell(len(block))
    return found.hexdigest()
