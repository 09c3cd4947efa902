"""What docs/batch.md and docs/embedded.md show runs, and prints what they say."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.integration.runtime.commands import Commands

from turnout_operator.api.model_deployment import ModelDeployment

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.S)


def blocks(page: str, language: str) -> Iterator[tuple[str, str]]:
    """Code of a page and the output that is shown below it."""
    for found in BLOCK.finditer((DOCS / page).read_text()):
        if found[1] == language:
            yield found[2], found[3] or ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def shown(command: list[str], folder: Path, path: str) -> str:
    """What a command prints."""
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_batch_page(folder: Path, commands: Commands) -> None:
    for code, expected in blocks("batch.md", "sh"):
        assert shown(["bash", "-euo", "pipefail", "-c", code], folder, commands.path) == expected


def test_the_manifest_of_the_batch_page() -> None:
    ((code, _),) = blocks("batch.md", "yaml")
    deployment = ModelDeployment.model_validate(yaml.safe_load(code))
    assert deployment.spec.batch is not None
    assert deployment.spec.batch.shards == 8


def test_the_code_of_the_embedded_page(folder: Path, commands: Commands) -> None:
    """The bundle is that of the other page."""
    if not (folder / "convert").exists():
        test_the_commands_of_the_batch_page(folder, commands)
    for code, expected in blocks("embedded.md", "python"):
        assert shown([sys.executable, "-c", code], folder, commands.path) == expected
