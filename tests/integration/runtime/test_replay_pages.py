"""What the pages on evaluating the log show runs, and prints what they say."""

from pathlib import Path

import pytest
from tests.integration.runtime.test_batch_pages import blocks, shown
from tests.unit.runtime.evaluation.evaluation_logs import log, weather


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """A folder with the logs of two days, the second windier."""
    log(tmp_path / "monday", weather(3000, seed=1))
    log(tmp_path / "tuesday", weather(2000, seed=2, wind=13, lost=0.03))
    return tmp_path


def test_the_drift_page(days: Path) -> None:
    for code, expected in blocks("drift.md", "sh"):
        assert shown(["bash", "-euo", "pipefail", "-c", code], days) == expected
    for code, expected in blocks("drift.md", "python"):
        assert shown(["python", "-c", code], days) == expected
