"""The same bundle from a volume and from a web server: one digest, the same answers."""

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
from demo import system
from tests.e2e.support.kube import Namespace
from tests.e2e.support.objects import arm, model_deployment, routing_policy


@pytest.fixture(scope="module")
def volume(namespace: Namespace) -> Iterator[str]:
    """A claim that holds the bundle at models/echo, unpacked by a pod."""
    volume = f"{namespace.name}-models"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models"},
        "spec": {
            "storageClassName": "",
            "volumeName": volume,
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume},
        "spec": {
            "storageClassName": "",
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "hostPath": {"path": f"/tmp/turnout-{volume}", "type": "DirectoryOrCreate"},
        },
    }
    namespace.apply(made, claim)
    try:
        unpack = "mkdir -p /v/models/echo && tar -xzf /b/bundle.tar.gz -C /v/models/echo && chmod -R a+rX /v"
        namespace.apply(helper_pod("unpack", ["sh", "-c", unpack]))
        namespace.run("wait", "pod/unpack", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
        yield "pvc://models/models/echo"
        namespace.apply(helper_pod("wipe", ["sh", "-c", "rm -rf /v/models"]))
        namespace.run("wait", "pod/wipe", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    finally:
        namespace.run("delete", "persistentvolume", volume, "--wait=false")


@pytest.fixture(scope="module")
def web(namespace: Namespace) -> str:
    """A web server with the packed bundle."""
    command = ["python3", "-m", "http.server", "8000", "--directory", "/b"]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 8000}]},
    }
    namespace.apply(helper_pod("web", command, volume=False), service)
    namespace.run("wait", "pod/web", "--for=condition=Ready", "--timeout=60s")
    return f"http://web.{namespace.name}.svc:8000/bundle.tar.gz"


def helper_pod(name: str, command: list[str], volume: bool = True) -> dict:
    volumes = [{"name": "b", "configMap": {"name": "echo"}}]
    mounts = [{"name": "b", "mountPath": "/b"}]
    if volume:
        volumes.append({"name": "v", "persistentVolumeClaim": {"claimName": "models"}})
        mounts.append({"name": "v", "mountPath": "/v"})
    container = {
        "name": "c",
        "image": system.images()["runtime"],
        "command": command,
        "securityContext": {"runAsUser": 0},
        "volumeMounts": mounts,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [container],
            "volumes": volumes,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
        },
    }


@pytest.mark.parametrize("source", ["volume", "web"])
def test_a_bundle_serves_from(namespace, gateway, bundles, source, request):
    uri = request.getfixturevalue(source)
    namespace.apply(model_deployment(source, bundles["echo"][1], uri=uri), routing_policy(source, arm("main", source)))
    namespace.wait_ready("md", source)
    namespace.wait_ready("rp", source)
    answer = asyncio.run(predict(f"{gateway}/v1/{namespace.name}/{source}/predict"))
    assert answer["decision"] == "it works"


async def predict(url: str) -> dict:
    body = {"context": {"decision": "it works"}}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()
