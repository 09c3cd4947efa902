"""The shipper's own folder in the log's directory: one shipper at a time, its progress, and room for conversions."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from turnout_runtime.errors import ConfigInvalid

FOLDER = "ship"
_SPOOL = "spool-"


class Home(NamedTuple):
    """Absolute: the log's directory, the folder of progress, and that of conversions, which is this process's alone."""

    directory: Path
    progress: Path
    spool: Path


@contextmanager
def home(directory: Path) -> Iterator[Home]:
    """Make it, and hold it until the block's end. Raises `ConfigInvalid` where that cannot be."""
    log = directory.resolve()
    if not log.is_dir():
        raise ConfigInvalid(f"directory: {directory}: there is no such folder: give the log's directory")
    folder = log / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigInvalid(f"directory: {folder}: {error.strerror}: let this process write there") from error
    try:
        _take(lock, directory)
        for left in folder.glob(f"{_SPOOL}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SPOOL, dir=folder, ignore_cleanup_errors=True) as spool:
            yield Home(log, folder, Path(spool))
    finally:
        os.close(lock)


def _take(lock: int, directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigInvalid(f"directory: {directory}: another shipper is at work there") from error
