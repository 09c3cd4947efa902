"""The real Triton that the wheel nvidia-pytriton carries, in an environment of its own, kept from run to run.

Its Python backend wants numpy below 2 and a stub per Python version beside it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.prerequisites import ensure

PACKAGES = ("nvidia-pytriton==0.7.0", "numpy<2")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turnout"
START_SECONDS = 60.0
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def installed() -> Path:
    """The wheel's tritonserver folder; installs it when it is not there yet."""
    environment = CACHE / f"triton-0.7.0-py{_PYTHON}"
    server = environment / "lib" / f"python{_PYTHON}" / "site-packages" / "pytriton" / "tritonserver"
    if not (environment / "complete").exists():
        uv = shutil.which("uv") or str(CACHE / "uv" / "bin" / "uv")
        shutil.rmtree(environment, ignore_errors=True)
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python", *PACKAGES], check=True
        )
        stub = server / "python_backend_stubs" / _PYTHON / "triton_python_backend_stub"
        shutil.copy2(stub, server / "backends" / "python")
        (environment / "complete").touch()
    library = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/libpython{_PYTHON}.so.1.0"
    ensure({library: f"libpython{_PYTHON}"})
    return server


class Triton:
    """One server with a repository of Python models; the port stays its own over restarts."""

    def __init__(self, repository: Path) -> None:
        self._server, self._repository = installed(), repository
        self.port = _free_port()
        self.url = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to start; models get ready some seconds later."""
        packages = self._server.parents[1]
        environment = {
            **os.environ,
            "PYTHONPATH": str(packages),
            "PATH": f"{packages.parents[2] / 'bin'}:/usr/bin:/bin",
        }
        command = [self._server / "bin" / "tritonserver", "--model-repository", self._repository]
        command += ["--backend-directory", self._server / "backends", "--grpc-address=127.0.0.1"]
        command += [f"--grpc-port={self.port}", "--allow-http=false", "--allow-metrics=false", "--exit-on-error=false"]
        log = (self._repository.parent / "triton.log").open("ab")
        with log:  # its own group: the stubs of its models end with it
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def wait_listening(self) -> None:
        """Return when it listens, which is when its models were tried."""
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """To the server and its models' stubs."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """What it told."""
        return (self._repository.parent / "triton.log").read_text(errors="replace")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def write_model(repository: Path, name: str, code: str, config: str, files: Mapping[str, bytes] | None = None) -> None:
    """A Python model of version 1."""
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(code)
    (folder.parent / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "python"\n{config}')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
