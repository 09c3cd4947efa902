"""What the pages on evaluating the log show runs, and prints what they say."""

import shutil
from pathlib import Path

import pytest
from tests.integration.runtime.commands import Commands
from tests.integration.runtime.page_reader import matches
from tests.integration.runtime.test_batch_pages import blocks, shown
from tests.unit.runtime.evaluation.evaluation_logs import log, orders, weather
from tests.unit.runtime.evaluation.policy_logs import LIMITS, bundle, rows, write


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """A folder with the logs of two days, the second windier."""
    log(tmp_path / "monday", weather(3000, seed=1))
    log(tmp_path / "tuesday", weather(2000, seed=2, wind=13, lost=0.03))
    return tmp_path


def test_the_drift_page(days: Path, commands: Commands) -> None:
    for code, expected in blocks("drift.md", "sh"):
        assert shown(["bash", "-euo", "pipefail", "-c", code], days, commands.path) == expected
    for code, expected in blocks("drift.md", "python"):
        assert shown(["python", "-c", code], days, commands.path) == expected


@pytest.fixture
def shop(tmp_path: Path, commands: Commands) -> Path:
    """A folder with the bundle of the batch page, a stricter candidate of it, and the log of the first."""
    for code, _ in blocks("batch.md", "sh"):
        shown(["bash", "-euo", "pipefail", "-c", code], tmp_path, commands.path)
        break
    candidate = shutil.copytree(tmp_path / "convert", tmp_path / "candidate")
    code = (candidate / "workflow.py").read_text().replace("score >= 100", "score >= 80")
    (candidate / "workflow.py").write_text(code)
    log(tmp_path / "log", orders(500, seed=4))
    return tmp_path


def test_the_replay_page(shop: Path, commands: Commands) -> None:
    for code, expected in blocks("replay.md", "sh"):
        assert matches(expected, shown(["bash", "-euo", "pipefail", "-c", code], shop, commands.path)), code


@pytest.fixture
def arms(tmp_path: Path) -> Path:
    """A folder with the bundles of two arms and of a candidate, the log of a split 70 to 30, and its rewards."""
    for name, limit in {**LIMITS, "candidate": 0.5}.items():
        bundle(tmp_path / name, limit)
    write(tmp_path, rows(4000))
    return tmp_path


def test_the_page_on_policies(arms: Path, commands: Commands) -> None:
    for code, expected in blocks("off-policy.md", "sh"):
        assert shown(["bash", "-euo", "pipefail", "-c", code], arms, commands.path) == expected
