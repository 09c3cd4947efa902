from collections.abc import Iterator

import pytest
from tests.integration.runtime import process
from tests.integration.runtime.forks import Forkery


@pytest.fixture(scope="package", autouse=True)
def _forkery() -> Iterator[None]:
    process.FORKERY = Forkery()
    yield
    process.FORKERY.close()
