"""The sink that is a folder, such as a mounted volume that many pods share."""

import asyncio
import errno
import os
from pathlib import Path

from turnout_runtime.config.ship import DirectorySink
from turnout_runtime.ship.sink import ShippedFile, SinkFailed

_COPY = 1024**2
_REASONS = {
    errno.ENOSPC: "full", errno.EDQUOT: "full",
    errno.EACCES: "refused", errno.EPERM: "refused", errno.EROFS: "refused",
    errno.ENOENT: "missing", errno.ENOTDIR: "missing",
    errno.EIO: "unreachable", errno.ESTALE: "unreachable", errno.ETIMEDOUT: "unreachable",
}  # fmt: skip
_REMEDIES = {
    "full": "make room, or set a retention",
    "refused": "let this process write there",
    "missing": "check the path, and that the volume is mounted",
    "unreachable": "check the volume and its server",
}


class DirectoryFiles:
    """Puts files there whole: under another name first, on the disk, then renamed."""

    def __init__(self, name: str, config: DirectorySink) -> None:
        self._name, self._path = name, config.path

    async def put(self, file: ShippedFile) -> None:
        """See `BatchSink`."""
        try:
            await asyncio.to_thread(store, file.path, self._path / file.name)
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, "failed")
            remedy = f": {_REMEDIES[reason]}" if reason in _REMEDIES else ""
            raise SinkFailed(reason, f"sink {self._name}: {self._path}: {error.strerror or error}{remedy}") from error

    async def close(self) -> None:
        """See `BatchSink`; nothing is held."""


def store(source: Path, target: Path) -> None:
    """Copy a file so that it has its name only when it is whole, and stays when the machine stops; raises `OSError`."""
    fresh = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")  # the same at the next attempt, which so leaves nothing
    with source.open("rb") as content, beside.open("wb") as out:
        while block := content.read(_COPY):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(target)
    for folder in (target.parent, *(folder.parent for folder in fresh)):
        _settle(folder)


def _settle(folder: Path) -> None:
    """Have the folder's entries on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
