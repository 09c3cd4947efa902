"""docs/first-workflow.md, command by command.

Text that is shown below a command is what it must print. `kubectl` is a stand-in here, and what it is given is checked
against the operator's own models; tests/e2e does the same with a cluster.
"""

import http.client
from collections.abc import Iterator

import pytest
import yaml
from tests.integration.runtime.commands import Commands
from tests.integration.runtime.page_reader import BLOCK, PAGE, Reader, matches

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_runtime.bundle.archive import digest_archive

KUBECTL = """#!/bin/sh
echo "$@" >> kubectl.calls
case "$*" in *"-f -"*) cat >> kubectl.applied ;; esac
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("page")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "kubectl").write_text(KUBECTL)
    (tools / "kubectl").chmod(0o755)
    somebody = Reader(folder, tools, PATH=f"{tools}:{commands.path}")
    yield somebody
    if somebody.pod is not None:
        somebody.pod.kill()
        somebody.pod.wait()


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
            assert matches(shown, printed) or not shown, printed
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
