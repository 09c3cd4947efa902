"""The local cluster: a real single-node Kubernetes of plain processes, for Linux without Docker."""

import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import cleanup, components, config, network, node_images, owner, pki, prerequisites, programs, settings
from tests.cluster.buildah import Buildah, full_name
from tests.cluster.paths import RUN, State
from tests.cluster.processes import Component, Supervisor, wait_for
from tests.cluster.progress import step
from tests.cluster.shell import ClusterError, succeeds, tail


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
        check_host()
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
                cleanup.take_down(self.state, self.supervisor)

    def reachable(self) -> bool:
        """Tell whether this checkout's node takes images."""
        return owner.current() == owner.CHECKOUT and succeeds(components.containerctl("version"))

    def lacks(self, references: Sequence[str]) -> list[str]:
        """Return those of `references` that the node does not have."""
        present = node_images.names()
        return [name for name in references if full_name(name) not in present]

    def load(self, references: Sequence[str]) -> None:
        """Import `references` from the cache of built images into the node."""
        node_images.load(Buildah().layout, [full_name(name) for name in references])

    def _clear_leftovers(self) -> None:
        """Start anew when what lies here belongs to an ended life: another checkout's, or one before a reboot."""
        fresh = owner.current() == owner.CHECKOUT
        if not fresh:
            links = {link.name: os.readlink(link) for link in self.state.bin.iterdir()}
            cleanup.take_down(self.state, self.supervisor)
            self.state.bin.mkdir(parents=True)
            for name, target in links.items():
                (self.state.bin / name).symlink_to(target)
            refuse_taken_ports()
        owner.claim()

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


def check_host() -> None:
    """Refuse hosts that cannot run the local cluster.

    Raises:
        ClusterError: the text says what would do.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ClusterError("no running Docker found: start Docker, or run on Linux as root with Go for the local cluster")
    prerequisites.go()
    if shutil.disk_usage(RUN.anchor).free < 6 << 30:
        raise ClusterError("less than 6 GiB of disk are free")


def refuse_taken_ports() -> None:
    """Refuse to start when others listen where the cluster would.

    Raises:
        ClusterError: the text names the ports.
    """
    taken = [port for port in settings.PORTS if _listening(port)]
    if taken:
        raise ClusterError(f"other programs listen on ports the cluster needs: {', '.join(map(str, taken))}")


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
