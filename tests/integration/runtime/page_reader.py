"""Somebody who types what docs/first-workflow.md says."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.runtime.process import free_port

PAGE = (Path(__file__).parents[3] / "docs" / "first-workflow.md").read_text()
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.S)


class Reader:
    """In a folder of their own, with `tools` first on the path; a pod stays until the next one is started."""

    def __init__(self, folder: Path, tools: Path, **environment: str) -> None:
        self.folder, self.port = folder, free_port()
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(folder / "state"), **environment}
        self.namespace = "flights"
        self.pod: subprocess.Popen[bytes] | None = None

    def type(self, code: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._own(code)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        return done.stdout

    def serve(self, code: str) -> str:
        """Start a pod; what it prints once it is ready."""
        self.end()
        self.pod, printed = self._start(code, "records")
        return printed

    @contextmanager
    def meanwhile(self, code: str, until: str) -> Iterator[None]:
        """A command that goes on during the block, which begins once it has printed `until`."""
        process, _ = self._start(code, until)
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def _start(self, code: str, until: str) -> "tuple[subprocess.Popen[bytes], str]":
        out = self.folder / "background.out"
        with out.open("wb") as stream:
            command = ["bash", "-c", f"exec {self._own(code)}"]
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=stream)
        deadline = time.monotonic() + 30
        while until not in out.read_text():
            assert process.poll() is None, out.read_text()
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)
        return process, out.read_text()

    def end(self) -> None:
        """Ctrl-C."""
        if self.pod is not None:
            self.pod.send_signal(signal.SIGINT)
            assert self.pod.wait(20) == 0
            self.pod = None

    def _own(self, code: str) -> str:
        """The page's port and namespace may be somebody else's here."""
        return re.sub(r"\bflights\b", self.namespace, code.replace("8080", str(self.port)))


def matches(shown: str, printed: str) -> bool:
    """Whether it printed what the page shows; `…` stands for anything."""
    return re.fullmatch(".*?".join(map(re.escape, shown.strip().split("…"))), printed.strip(), re.S) is not None
