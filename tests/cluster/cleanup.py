"""Taking the local cluster away, whole or half dead: processes, mounts, control groups, files."""

import errno
import os
import shutil
import socket
from pathlib import Path

from tests.cluster import mounts, network, settings
from tests.cluster.paths import KUBELET_ROOT, RUN, State
from tests.cluster.processes import Supervisor, kill, start_time, wait_for
from tests.cluster.shell import ClusterError

CGROUPS = Path("/sys/fs/cgroup")
CNI_HOME = Path("/var/lib/cni")
SHIMS = Path("/run/containerd/s")


def take_down(state: State, supervisor: Supervisor) -> None:
    """Leave nothing of the cluster on this machine; safe to repeat, and after any crash."""
    _end_processes(supervisor)
    mounts.undo(RUN, KUBELET_ROOT, state.root)
    network.down()
    _remove_kubelet_home()
    remove_cni_results(CNI_HOME / "results")
    _remove_log_links(state)
    remove_dead_sockets(SHIMS)
    for folder in (CNI_HOME / "results", CNI_HOME, SHIMS, SHIMS.parent):
        _try_rmdir(folder)
    remove_cgroups()
    for folder in (RUN, KUBELET_ROOT, state.root):
        shutil.rmtree(folder, ignore_errors=True)


def _end_processes(supervisor: Supervisor) -> None:
    """Kill all at once: nothing that they keep is kept. Who starts others goes first, so that nothing comes back."""
    for name in ("kubelet", "containerd"):
        record = supervisor.recorded(name)
        if record:
            kill({record.pid: record.started})
    kill({pid: start_time(pid) for pid in _pod_processes()})
    if not wait_for(lambda: _none_marked(supervisor), 10.0):
        raise ClusterError(f"these processes of the cluster do not end: {supervisor.marked()}")


def _none_marked(supervisor: Supervisor) -> bool:
    kill({pid: start_time(pid) for pid in supervisor.marked()})
    return not supervisor.marked()


def _pod_processes() -> set[int]:
    return {int(pid) for group in pod_cgroups() for pid in _read(group / "cgroup.procs").split()}


def remove_dead_sockets(folder: Path) -> None:
    """Remove the sockets on which no process listens: containerd's shims leave theirs when they are killed."""
    for path in folder.glob("*"):
        with socket.socket(socket.AF_UNIX) as probe:
            if path.is_socket() and probe.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink()


def pod_cgroups() -> list[Path]:
    """Return the pods' control groups, innermost first, in every hierarchy (v1) or in the one (v2)."""
    tops = [*CGROUPS.glob("kubepods"), *CGROUPS.glob("*/kubepods")]
    found = [Path(folder) for top in tops for folder, _, _ in os.walk(top)]
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def remove_cgroups() -> None:
    """Remove the pods' control groups once nothing runs in them."""
    for group in pod_cgroups():
        wait_for(lambda group=group: _try_rmdir(group), 2.0)  # type: ignore[misc]


def _try_rmdir(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove_kubelet_home() -> None:
    home = Path(settings.KUBELET_HOME)
    plugins = home / "device-plugins"
    for name in ("kubelet.sock", "turnout-gpu.sock", "kubelet_internal_checkpoint", "DEPRECATION"):
        (plugins / name).unlink(missing_ok=True)
    _try_rmdir(plugins)
    _try_rmdir(home)


def remove_cni_results(folder: Path) -> None:
    """Remove what CNI plugins remember of our pods, known by where their network namespaces are."""
    for result in folder.glob("*"):
        if str(RUN) in _read(result):
            result.unlink()


def _remove_log_links(state: State) -> None:
    folder = Path("/var/log/containers")
    for link in folder.glob("*.log"):
        if link.is_symlink() and os.readlink(link).startswith(str(state.root)):
            link.unlink()
    _try_rmdir(folder)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
