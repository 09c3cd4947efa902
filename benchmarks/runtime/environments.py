"""What is made once and kept: the peers' virtual environments and the models."""

import os
import shutil
import sys
from pathlib import Path

from benchmarks.harness.kept import kept
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

    return kept(CACHE / "peers" / peer, [requirements], make)


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
    return kept(CACHE / "bench-runtime" / "models", sources, make)


def _uv() -> str:
    return shutil.which("uv") or str(CACHE / "uv" / "bin" / "uv")
