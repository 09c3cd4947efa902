"""Fixtures of big real servers: each starts once, when the first test wants it."""

import os
from collections.abc import Iterator

import pytest
from tests.integration.runtime import process
from tests.integration.runtime.forks import Forkery
from tests.peers.kafka.broker import Broker, broker
from tests.peers.object_store import ObjectStore, object_store
from tests.peers.oci_registry import OciRegistry, locked_registry, registry, token_registry


@pytest.fixture(scope="session", autouse=True)
def _forkery() -> Iterator[None]:
    process.FORKERY = Forkery()
    yield
    process.FORKERY.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as store:
        yield store


@pytest.fixture
def cloud(s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The store, with its credentials in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture(scope="session")
def oci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OciRegistry]:
    with registry(tmp_path_factory.mktemp("oci")) as made:
        yield made


@pytest.fixture(scope="session")
def locked_oci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OciRegistry]:
    with locked_registry(tmp_path_factory.mktemp("locked-oci")) as made:
        yield made


@pytest.fixture(scope="session")
def token_oci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OciRegistry]:
    with token_registry(tmp_path_factory.mktemp("token-oci")) as made:
        yield made


@pytest.fixture(scope="session")
def _kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as made:
        yield made


@pytest.fixture
def kafka(_kafka: Broker) -> Broker:
    """A broker that runs, also when the test before has ended it."""
    _kafka.ensure_running()
    return _kafka
