"""The chart as it renders."""

import pytest
from tests.chart.rendering import Manifests, render


@pytest.fixture(scope="session")
def chart() -> Manifests:
    """All objects of the chart at its defaults."""
    return render()
