"""The local cluster: a real single-node Kubernetes of plain processes, for Linux without Docker."""

import os
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import (
    cleanup,
    components,
    config,
    host,
    network,
    node_images,
    owner,
    pki,
    prerequisites,
    programs,
    settings,
)
from tests.cluster.buildah import Buildah, full_name
from tests.cluster.paths import CHECKOUT, RUN, State
from tests.cluster.processes import Component, Running, Supervisor, wait_for
from tests.cluster.progress import step
from tests.cluster.shell import ClusterError, run, succeeds, tail

NODE_COLUMNS = (
    "custom-columns=NODE:.metadata.name,VERSION:.status.nodeInfo.kubeletVersion,"
    "READY:.status.conditions[?(@.type=='Ready')].status,GPUS:.status.allocatable.nvidia\\.com/gpu"
)


class LocalCluster:
    """One checkout's cluster on this machine."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.supervisor = Supervisor(RUN / "processes", self.state.logs)

    def up(self) -> None:
        """Bring the cluster to Ready from nothing, from half dead, or from running.

        Raises:
            ClusterError: something is missing, in the way, or did not become ready; the text says what.
        """
        host.check()
        with owner.exclusive():
            owner.refuse_foreign(bool(self.supervisor.marked()))
            prerequisites.ensure(prerequisites.NODE)
            programs.link(programs.CLUSTER, self.state.bin)
            self._clear_leftovers()
            with step("cluster") as current:
                self._configure()
                for what, start in (("control plane", self._start_control_plane), ("node", self._start_node)):
                    current.note = what
                    start()
                current.note = f"ready: {settings.GPUS} {settings.GPU_RESOURCE}"

    def down(self) -> None:
        """End the cluster and leave nothing of it."""
        if os.geteuid() != 0:
            raise ClusterError("the local cluster needs root")
        with owner.exclusive():
            owner.refuse_foreign(bool(self.supervisor.marked()))
            with step("ending the cluster"):
                self._take_down()

    def status(self) -> list[str]:
        """Return lines that say what there is."""
        if owner.current() != CHECKOUT:
            return [f"down (the machine's cluster belongs to {owner.current()})" if owner.current() else "down"]
        names = sorted(file.stem for file in self.supervisor.folder.glob("*.json"))
        lines = [_describe(name, self.supervisor.recorded(name)) for name in names]
        if succeeds(self._kubectl("get", "--raw", "/readyz")):
            lines += run(self._kubectl("get", "nodes", "--output", NODE_COLUMNS)).splitlines()
        return [*lines, f"gateway: {settings.GATEWAY_URL}"]

    def reachable(self) -> bool:
        """Tell whether this checkout's node takes images."""
        return owner.current() == CHECKOUT and succeeds(components.containerctl("version"))

    def lacks(self, references: Sequence[str]) -> list[str]:
        """Return those of `references` that the node does not have."""
        present = node_images.names()
        return [name for name in references if full_name(name) not in present]

    def load(self, references: Sequence[str]) -> None:
        """Import `references` from the cache of built images into the node."""
        node_images.load(Buildah().layout, [full_name(name) for name in references])

    def _clear_leftovers(self) -> None:
        """Start anew when what lies here is of an ended life: another checkout's, or one before a reboot."""
        if owner.current() != CHECKOUT:
            links = {link.name: os.readlink(link) for link in self.state.bin.iterdir()}
            self._take_down()
            self.state.bin.mkdir(parents=True)
            for name, target in links.items():
                (self.state.bin / name).symlink_to(target)
            network.up()
            host.refuse_taken_ports(settings.ENDPOINTS)
            owner.claim()

    def _take_down(self) -> None:
        """Remove this checkout's cluster, and with it what is left of another's."""
        former = owner.current()
        for state in {self.state, State(former / ".cluster") if former else self.state}:
            cleanup.take_down(state, self.supervisor)

    def _configure(self) -> None:
        pki.write(self.state.pki, settings.IDENTITIES)
        for path, text in config.files(self.state).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.state.kubeconfig.chmod(0o600)
        network.up()

    def _start_control_plane(self) -> None:
        node = self._program(programs.NODE)
        self._ensure(components.etcd(self.state, node))
        self._ensure(components.containerd(self.state))
        self._ensure(components.api_server(self.state, node))
        self._await("kube-apiserver", self._kubectl("get", "--raw", "/readyz"), 60)
        self._ensure(components.controller_manager(self.state, node))
        self._ensure(components.scheduler(self.state, node))

    def _start_node(self) -> None:
        node = self._program(programs.NODE)
        self._await("containerd", components.containerctl("version"), 20)
        node_images.load_pause(self._program(programs.PAUSE))
        self._ensure(components.kubelet(self.state, node))
        self._ensure(components.proxy(self.state, node))
        self._ensure(components.dns(self.state, node))
        self._ensure(components.gpu_plugin(self._program(programs.GPU_PLUGIN)))
        target = f"node/{settings.NODE_NAME}"
        self._await("kubelet", self._kubectl("wait", "--for=condition=Ready", target, "--timeout=2s"), 60)
        escaped = settings.GPU_RESOURCE.replace(".", "\\.")
        gpus = f"--for=jsonpath={{.status.allocatable.{escaped}}}={settings.GPUS}"
        self._await("gpu-plugin", self._kubectl("wait", gpus, target, "--timeout=2s"), 30)
        for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns"):
            self._check_alive(name)

    def _program(self, program: programs.Program) -> Path:
        return (self.state.bin / program.name).resolve()

    def _kubectl(self, *arguments: str) -> list[str]:
        return [str(self.state.bin / "kubectl"), "--kubeconfig", str(self.state.kubeconfig), *arguments]

    def _ensure(self, component: Component) -> None:
        self.supervisor.ensure(component)

    def _await(self, name: str, probe: list[str], seconds: float) -> None:
        def settled() -> bool:
            self._check_alive(name)
            return succeeds(probe)

        if not wait_for(settled, seconds):
            raise ClusterError(f"{name} did not become ready in {seconds:.0f} s:\n{self._log_tail(name)}")

    def _check_alive(self, name: str) -> None:
        record = self.supervisor.recorded(name)
        if record is None or not record.alive:
            raise ClusterError(f"{name} ended:\n{self._log_tail(name)}")

    def _log_tail(self, name: str) -> str:
        path = self.state.logs / f"{name}.log"
        return tail(path.read_text(errors="replace")) + f"\n(whole log: {path})"


def _describe(name: str, record: Running | None) -> str:
    if record is None or not record.alive:
        return f"{name:<24} DEAD, `make cluster-up` starts it again"
    return f"{name:<24} pid {record.pid:<8} {record.resident_bytes / 1e6:5.0f} MB"
