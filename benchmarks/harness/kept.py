"""What is made once and kept in the user's cache. Safe to call from two runs at once."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def kept(folder: Path, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """`folder`, made anew where the files that it follows from have changed or it was not finished."""
    wanted = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder.with_name(f".{folder.name}.made")
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if not (folder.is_dir() and stamp.exists() and stamp.read_text() == wanted):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            stamp.write_text(wanted)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
