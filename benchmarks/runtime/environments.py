"""What is made once and kept: the peers' virtual environments and the models. Safe to call from two runs at once."""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.places import CACHE, CHECKOUT
from tests.cluster.progress import step
from tests.cluster.shell import run

PYTHON = "3.11"
_HERE = Path(__file__).parent


def environment(peer: str) -> Path:
    """The folder of the peer's virtual environment, as its requirements.txt wants it."""
    requirements = _HERE / "peers" / peer / "requirements.txt"

    def make(folder: Path) -> None:
        with step(f"installing {peer}"):
            run([_uv(), "venv", "--quiet", "--python", PYTHON, folder])
            run([_uv(), "pip", "install", "--quiet", "--python", folder, "-r", requirements])

    return _kept(CACHE / "peers" / peer, [requirements], make)


def models() -> Path:
    """The folder of the trained models."""

    def make(folder: Path) -> None:
        folder.mkdir()
        path = os.pathsep.join(map(str, (CHECKOUT, CHECKOUT / "examples" / "01-flight-delay")))
        with step("training the models"):
            run(
                [sys.executable, "-m", "benchmarks.runtime.workload.train", folder],
                env={**os.environ, "PYTHONPATH": path},
            )

    sources = [_HERE / "workload" / f"{name}.py" for name in ("train", "fraud", "requests")]
    return _kept(CACHE / "bench-runtime" / "models", sources, make)


def _kept(folder: Path, sources: list[Path], make: Callable[[Path], None]) -> Path:
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


def _uv() -> str:
    return shutil.which("uv") or str(CACHE / "uv" / "bin" / "uv")
