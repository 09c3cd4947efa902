"""Folders for a while, which do not outlive a process that was killed by more than the next one's start."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX, _ALIVE = "turnout-scratch-", ".alive"


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """A folder, in that of temporary files unless told otherwise; nothing is left of it afterwards."""
    base = parent or Path(tempfile.gettempdir())
    _sweep(base)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=base, ignore_cleanup_errors=True) as name,
        Path(name, _ALIVE).open("w") as alive,
    ):
        fcntl.flock(alive, fcntl.LOCK_EX)  # the kernel lets go of it however the process ends
        yield Path(name)


def _sweep(base: Path) -> None:
    """Remove what nobody holds any more; a folder that is being made has no lock yet, and is left alone."""
    for left in base.glob(f"{_PREFIX}*/{_ALIVE}"):
        with suppress(OSError), left.open("r+") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
