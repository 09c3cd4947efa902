"""The chart on the cluster, once for all tests, and a namespace for each test module."""

import uuid
from collections.abc import Iterator

import pytest
from demo import system
from demo.shell import kubectl
from tests.e2e.support.kube import Namespace
from tests.e2e.support.objects import bundle_config_map, pack


@pytest.fixture(scope="session")
def gateway() -> str:
    """The URL of the gateway of a freshly installed or upgraded chart."""
    if not system.is_up():
        pytest.fail("no cluster is up: run `make cluster-up images` first")
    system.install_chart()
    return system.gateway_url()


@pytest.fixture(scope="session")
def bundles() -> dict[str, tuple[bytes, str]]:
    """Archive and digest of the bundles that the tests serve."""
    return {name: pack(name) for name in ("echo", "import-error")}


@pytest.fixture(scope="module")
def namespace(gateway: str, bundles: dict[str, tuple[bytes, str]]) -> Iterator[Namespace]:
    """A namespace with the bundles in ConfigMaps, deleted afterwards."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        made = Namespace(name)
        made.apply(*(bundle_config_map(bundle, archive) for bundle, (archive, _) in bundles.items()))
        yield made
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
