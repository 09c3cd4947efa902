from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.xds.world import World, new_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world of the test's own."""
    async with new_world(tmp_path) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world for the tests of a module that change nothing in it but their own objectives."""
    async with new_world(tmp_path_factory.mktemp("world")) as world:
        yield world
