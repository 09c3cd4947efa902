"""Taking the local cluster away, whole or half dead: processes, mounts, control groups, files."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import network, settings
from tests.cluster.paths import RUN, State
from tests.cluster.processes import Supervisor, kill, start_time, wait_for
from tests.cluster.shell import ClusterError, succeeds

CGROUPS = Path("/sys/fs/cgroup")
CNI_HOME = Path("/var/lib/cni")
SHIMS = Path("/run/containerd/s")


def take_down(state: State, supervisor: Supervisor) -> None:
    """Leave nothing of the cluster on this machine; safe to repeat, and after any crash."""
    _end_processes(supervisor)
    traces = task_traces(RUN / "containerd")
    unmount_below(RUN, state.root)
    network.down()
    for trace in traces:
        trace.unlink(missing_ok=True)
    _remove_kubelet_home()
    _remove_cni_state()
    _remove_log_links(state)
    for folder in (SHIMS, SHIMS.parent):
        _try_rmdir(folder)
    remove_cgroups()
    shutil.rmtree(RUN, ignore_errors=True)
    shutil.rmtree(state.root, ignore_errors=True)


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


def task_traces(runtime: Path) -> list[Path]:
    """Return what tasks keep outside containerd's `runtime` folder: shims' sockets, the loopback plugin's results."""
    sockets = [
        Path(address.read_text().strip().removeprefix("unix://"))
        for address in runtime.glob("io.containerd.runtime.v2.task/*/*/address")
    ]
    tasks = runtime.glob("io.containerd.runtime.v2.task/*/*")
    return [*sockets, *(CNI_HOME / "results" / f"cni-loopback-{task.name}-lo" for task in tasks)]


def mounts_below(table: str, roots: Iterable[Path]) -> list[str]:
    """Return the mount points of a /proc/mounts `table` at or below `roots`, innermost first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines() if line]
    prefixes = [str(root) for root in roots]
    inside = [point for point in points if any(point == p or point.startswith(f"{p}/") for p in prefixes)]
    return sorted(inside, key=len, reverse=True)


def unmount_below(*roots: Path) -> None:
    """Unmount everything at and below `roots`, detaching what is busy."""
    for point in mounts_below(Path("/proc/mounts").read_text(), roots):
        if not succeeds(["umount", point]):
            succeeds(["umount", "--lazy", point])


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


def _remove_cni_state() -> None:
    for result in CNI_HOME.glob(f"results/{settings.CNI_NETWORK}-*"):
        result.unlink()
    for folder in (CNI_HOME / "results", CNI_HOME):
        _try_rmdir(folder)


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
