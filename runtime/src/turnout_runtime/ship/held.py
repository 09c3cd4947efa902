"""Keeps a segment in the directory while it is on its way, so that none is both delivered and counted as dropped."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The writer prunes no segment on which there is a lock. Raises `FileNotFoundError` when it has done so."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        if not os.fstat(file).st_nlink:
            raise FileNotFoundError(path)
        yield
    finally:
        os.close(file)
