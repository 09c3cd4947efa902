from collections.abc import Iterator

import pytest
from tests.integration.runtime import process
from tests.integration.runtime.commands import Commands
from tests.integration.runtime.forks import Forkery


@pytest.fixture(scope="package", autouse=True)
def _forkery() -> Iterator[None]:
    process.FORKERY = Forkery()
    yield
    process.FORKERY.close()


@pytest.fixture(scope="package")
def commands() -> Iterator[Commands]:
    """A `turnout` that starts in milliseconds, for those who type much."""
    made = Commands()
    yield made
    made.close()
