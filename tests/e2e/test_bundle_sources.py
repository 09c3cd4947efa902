"""The same bundle from a volume and from a web server: one digest, the same answers."""

from collections.abc import Iterator

import pytest
from tests.e2e.support.http import post
from tests.e2e.support.kube import Namespace
from tests.e2e.support.objects import arm, model_deployment, routing_policy
from tests.e2e.support.volumes import claim, do, serve


@pytest.fixture(scope="module")
def volume(namespace: Namespace) -> Iterator[str]:
    """A claim that holds the bundle at models/echo, unpacked by a pod."""
    with claim(namespace, "models") as name:
        folder = f"/{name}/models/echo"
        unpack = f"mkdir -p {folder} && tar -xzf /b/bundle.tar.gz -C {folder} && chmod -R a+rX /{name}"
        do(namespace, "unpack", ["sh", "-c", unpack], claims=[name], config_maps={"echo": "/b"})
        yield f"pvc://{name}/models/echo"


@pytest.fixture(scope="module")
def web(namespace: Namespace) -> str:
    """A web server with the packed bundle."""
    command = ["python3", "-m", "http.server", "8000", "--directory", "/b"]
    return f"http://{serve(namespace, 'web', command, 8000, config_maps={'echo': '/b'})}/bundle.tar.gz"


@pytest.mark.parametrize("source", ["volume", "web"])
def test_a_bundle_serves_from(namespace, gateway, bundles, source, request):
    uri = request.getfixturevalue(source)
    namespace.apply(model_deployment(source, bundles["echo"][1], uri=uri), routing_policy(source, arm("main", source)))
    namespace.wait_ready("md", source)
    namespace.wait_ready("rp", source)
    status, answer = post(f"{gateway}/v1/{namespace.name}/{source}/predict", {"context": {"decision": "it works"}})
    assert (status, answer.get("decision")) == (200, "it works"), answer
