"""docs/first-workflow.md, command by command.

A pod that a page starts stays until the next one is started. Text that is shown below a command is what it must print,
where `…` stands for anything. `kubectl` is a stand-in that checks what it is given against the operator's own models.
"""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.integration.runtime.process import free_port

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_runtime.bundle.archive import digest_archive

PAGE = (Path(__file__).parents[3] / "docs" / "first-workflow.md").read_text()
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.S)
KUBECTL = """#!/bin/sh
echo "$@" >> kubectl.calls
case "$*" in *"-f -"*) cat >> kubectl.applied ;; esac
"""


class Reader:
    """Somebody who types what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        tools = folder / "tools"
        tools.mkdir()
        (tools / "kubectl").write_text(KUBECTL)
        (tools / "kubectl").chmod(0o755)
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(folder / "state")}
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
        out = self.folder / "pod.out"
        with out.open("wb") as stream:
            command = ["bash", "-c", f"exec {self._own(code)}"]
            self.pod = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=stream)
        deadline = time.monotonic() + 30
        while "records" not in out.read_text():
            assert self.pod.poll() is None, out.read_text()
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)
        return out.read_text()

    def end(self) -> None:
        """Ctrl-C."""
        if self.pod is not None:
            self.pod.send_signal(signal.SIGINT)
            assert self.pod.wait(20) == 0
            self.pod = None

    def _own(self, code: str) -> str:
        """The page's port may be somebody else's here."""
        return code.replace("8080", str(self.port))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    somebody = Reader(tmp_path_factory.mktemp("page"))
    yield somebody
    if somebody.pod is not None:
        somebody.pod.kill()
        somebody.pod.wait()


def _matches(shown: str, printed: str) -> bool:
    return re.fullmatch(".*?".join(map(re.escape, shown.strip().split("…"))), printed.strip(), re.S) is not None


def test_every_command_of_the_page(reader: Reader) -> None:
    laptop, cluster = PAGE.split("## 5. Deploy it")
    for code, shown in BLOCK.findall(laptop):
        if code.startswith("turnout bundle run"):
            printed = reader.serve(code)
            assert f"curl http://127.0.0.1:{reader.port}/v1/default/flight-delay/predict" in printed
            told = next(line.strip() for line in printed.splitlines() if line.strip().startswith("curl "))
            assert '"decision":"late"' in reader.type(f"{told} -s")
        else:
            printed = reader.type(code)
            assert _matches(shown, printed) or not shown, printed
    records = reader.type("turnout log cat $XDG_STATE_HOME/turnout/flight-delay")
    assert '"source":"live"' in records
    reader.end()
    _deploy(reader, cluster)


def _deploy(reader: Reader, section: str) -> None:
    for code, _ in BLOCK.findall(section):
        if "curl" not in code:
            reader.type(code)
    deployment, policy = yaml.safe_load_all((reader.folder / "kubectl.applied").read_text())
    bundle = ModelDeployment.model_validate(deployment).spec.bundle
    assert bundle.digest == digest_archive(reader.folder / "flight-delay.tar.gz")
    assert RoutingPolicy.model_validate(policy).spec.arms[0].model_deployment == "flight-delay"
    calls = (reader.folder / "kubectl.calls").read_text()
    assert "create configmap flight-delay --from-file=bundle.tar.gz=flight-delay.tar.gz" in calls


def test_a_pod_of_the_page_answers_its_probes(reader: Reader) -> None:
    """`bundle run` prints where metrics are; they are there."""
    printed = reader.serve("turnout bundle run flight-delay --port 8080 --facts facts.yaml --no-golden")
    host, _, path = printed.split("metrics  http://")[1].splitlines()[0].partition("/")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.request("GET", f"/{path}")
    assert b"turnout_" in connection.getresponse().read()
    connection.close()
    reader.end()
