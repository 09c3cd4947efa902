"""The shipper's own folder in the log's directory: one shipper at a time, its progress, and room for conversions."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from turnout_runtime.errors import ConfigInvalid

FOLDER = "ship"
_SPOOL = "spool-"
_LOCK = ".lock"  # whose content is the pod's name


class Home(NamedTuple):
    """Absolute: the log's directory, the folder of progress, and that of conversions, which is this process's alone."""

    directory: Path
    progress: Path
    spool: Path


def shipped_as(where: Home, given: str | None, here: str) -> str:
    """Under which pod's name the files of this log go: `given`, else that of the shipper before, else `here`.

    What is repeated of another's work, as of a pod that is no more, must have the same names, or its rows come twice.
    """
    note, before = where.progress / _LOCK, ""
    with suppress(OSError, ValueError):
        before = note.read_text().strip()
    pod = given or before or here
    if pod != before:
        with suppress(OSError):  # a full disk: then it is this machine's name again the next time
            note.write_text(pod)
    return pod


@contextmanager
def home(directory: Path) -> Iterator[Home]:
    """Make it, and hold it until the block's end. Raises `ConfigInvalid` where that cannot be."""
    log = directory.resolve()
    if not log.is_dir():
        raise ConfigInvalid(f"directory: {directory}: there is no such folder: give the log's directory")
    folder = log / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
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
