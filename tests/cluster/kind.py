"""The cluster where Docker runs: kind, with the same GPUs and the same files in .cluster."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster import images, owner, programs, recipes, settings
from tests.cluster.config import env
from tests.cluster.docker import Docker
from tests.cluster.paths import CHECKOUT, State, cache_root
from tests.cluster.processes import wait_for
from tests.cluster.progress import step
from tests.cluster.shell import ClusterError, run, succeeds

NAME = "turnout"
NODE = f"{NAME}-control-plane"
URL = f"http://127.0.0.1:{settings.GATEWAY_NODE_PORT}"
PLUGINS = f"{settings.KUBELET_HOME}/device-plugins"


class KindCluster:
    """The machine's kind cluster, as long as it is this checkout's."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.record = cache_root() / "kind-owner"

    def up(self) -> None:
        """Make the cluster, or start it again, and give its node GPUs."""
        programs.link((programs.KUBECTL, programs.KIND), self.state.bin)
        owner.refuse_foreign(self._exists(), self.record)
        owner.claim(self.record)
        with step("cluster (kind)"):
            self._revive() if self._exists() else run(create(self._kind(), self.state))
            self.state.env.write_text(env(self.state))
            self.state.gateway_url.write_text(f"{URL}\n")
        self._add_gpus()

    def down(self) -> None:
        """Delete the cluster and this checkout's record of it."""
        programs.link((programs.KIND,), self.state.bin)
        owner.refuse_foreign(self._exists(), self.record)
        with step("ending the cluster"):
            run([self._kind(), "delete", "cluster", "--name", NAME])
        self.record.unlink(missing_ok=True)
        for path in (self.state.kubeconfig, self.state.env, self.state.gateway_url, self.state.images):
            path.unlink(missing_ok=True)

    def status(self) -> list[str]:
        """Return lines that say what there is."""
        state = "up" if self.reachable() else "down"
        return [f"kind cluster {NAME}: {state}", f"gateway: {URL}"]

    def reachable(self) -> bool:
        """Tell whether the API server answers."""
        return self.state.kubeconfig.exists() and succeeds(self._kubectl("get", "--raw", "/readyz"))

    def lacks(self, references: Sequence[str]) -> list[str]:
        """Return those of `references` that the node does not have."""
        listed = json.loads(run(["docker", "exec", NODE, "crictl", "images", "--output", "json"]))
        return [name for name in references if f"docker.io/{qualified(name)}" not in tags(listed)]

    def load(self, references: Sequence[str]) -> None:
        """Copy `references` from Docker's store into the node."""
        run([self._kind(), "load", "docker-image", "--name", NAME, *references])

    def _revive(self) -> None:
        """Start a node that was stopped, as by a reboot; make it anew when that does not help."""
        run(["docker", "start", NODE])
        run([self._kind(), "export", "kubeconfig", "--name", NAME, "--kubeconfig", self.state.kubeconfig])
        if not wait_for(self.reachable, 60.0, pause=1.0):
            run([self._kind(), "delete", "cluster", "--name", NAME])
            run(create(self._kind(), self.state))

    def _add_gpus(self) -> None:
        references = images.ensure(Docker(), self, self.state, (recipes.GPU_PLUGIN,), record=False)
        manifest = self.state.root / "gpu-plugin.json"
        manifest.write_text(json.dumps(gpu_daemon_set(references["gpuplugin"])))
        with step(f"{settings.GPUS} {settings.GPU_RESOURCE}"):
            run(self._kubectl("apply", "--filename", str(manifest)))
            if not wait_for(lambda: self._gpus() == str(settings.GPUS), 120.0, pause=1.0):
                raise ClusterError("the node shows no GPUs: kubectl -n kube-system logs daemonset/turnout-gpu-plugin")

    def _gpus(self) -> str:
        escaped = settings.GPU_RESOURCE.replace(".", "\\.")
        return run(self._kubectl("get", f"node/{NODE}", "--output", f"jsonpath={{.status.allocatable.{escaped}}}"))

    def _exists(self) -> bool:
        return NAME in run([self._kind(), "get", "clusters"]).split()

    def _kind(self) -> str:
        return str(self.state.bin / "kind")

    def _kubectl(self, *arguments: str) -> list[str]:
        return [str(self.state.bin / "kubectl"), "--kubeconfig", str(self.state.kubeconfig), *arguments]


def create(kind: str, state: State) -> list[str | Path]:
    """Return the command that makes the cluster."""
    config: list[str | Path] = ["--name", NAME, "--config", CHECKOUT / "kind-config.yaml"]
    return [kind, "create", "cluster", *config, "--kubeconfig", state.kubeconfig, "--wait", "180s"]


def qualified(reference: str) -> str:
    """Return a Docker Hub reference with its namespace, as containerd stores it."""
    return reference if "/" in reference else f"library/{reference}"


def tags(listed: dict[str, Any]) -> set[str]:
    """Return the names in what `crictl images --output json` printed."""
    return {tag for image in listed["images"] for tag in image["repoTags"]}


def gpu_daemon_set(image: str) -> dict[str, Any]:
    """Return the DaemonSet that registers GPUs with each node's kubelet."""
    labels = {"app.kubernetes.io/name": "turnout-gpu-plugin"}
    container = {
        "name": "gpu-plugin",
        "image": image,
        "imagePullPolicy": "Never",
        "args": [f"--resource={settings.GPU_RESOURCE}", f"--count={settings.GPUS}", f"--directory={PLUGINS}"],
        "volumeMounts": [{"name": "plugins", "mountPath": PLUGINS}],
    }
    pod = {
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "plugins", "hostPath": {"path": PLUGINS}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "turnout-gpu-plugin", "namespace": "kube-system", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
