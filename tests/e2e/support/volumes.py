"""Claims on a folder of the node, and pods of the runtime's image that do something for a test."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from demo import system
from tests.e2e.support.kube import Namespace, eventually


@contextmanager
def claim(namespace: Namespace, name: str) -> Iterator[str]:
    """A claim that anybody may write to; what is in it goes with it. Yields its name."""
    volume = f"{namespace.name}-{name}"
    common = {"storageClassName": "", "accessModes": ["ReadWriteMany"]}
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume},
        "spec": {
            **common,
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": f"/tmp/turnout-{volume}", "type": "DirectoryOrCreate"},
        },
    }
    wanted = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {**common, "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}},
    }
    namespace.apply(made, wanted)
    try:
        do(namespace, f"open-{name}", ["chmod", "777", f"/{name}"], claims=[name])
        yield name
    finally:
        do(namespace, f"wipe-{name}", ["rm", "-rf", f"/node/turnout-{volume}"], node="/tmp")
        namespace.run("delete", "persistentvolume", volume, "--wait=false")


def do(namespace: Namespace, name: str, command: list[str], **where: Any) -> str:
    """Run a command in a pod to its end, which must be a good one; returns what it said."""
    namespace.run("delete", "pod", name, "--ignore-not-found")
    namespace.apply(helper_pod(name, command, **where))

    def over() -> str:
        phase = str(namespace.get("pod", name)["status"]["phase"])
        assert phase in ("Succeeded", "Failed")
        return phase

    phase = eventually(over, 60)
    said = namespace.run("logs", name)
    assert phase == "Succeeded", said
    return said


def python(namespace: Namespace, name: str, code: str, **where: Any) -> str:
    """Run Python code in a pod to its end; returns what it printed."""
    return do(namespace, name, ["python3", "-c", code], **where)


def serve(namespace: Namespace, name: str, command: list[str], port: int, **where: Any) -> str:
    """A pod that listens on `port`, and its Service; returns HOST:PORT."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }
    namespace.apply(helper_pod(name, command, **where), service)
    namespace.run("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
    return f"{name}.{namespace.name}.svc:{port}"


def helper_pod(
    name: str,
    command: list[str],
    claims: list[str] | None = None,
    config_maps: Mapping[str, str] | None = None,
    node: str | None = None,
) -> dict[str, Any]:
    """A pod as root, with claims mounted at /NAME, ConfigMaps, by name, where they are told, the node's folder at
    /node."""
    places = {**{each: f"/{each}" for each in claims or ()}, **(config_maps or {})}
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims or ()]
    volumes += [{"name": each, "configMap": {"name": each}} for each in config_maps or ()]
    if node:
        places["node"] = "/node"
        volumes.append({"name": "node", "hostPath": {"path": node}})
    container = {
        "name": "c",
        "image": system.images()["runtime"],
        "command": command,
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": each, "mountPath": path} for each, path in places.items()],
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
