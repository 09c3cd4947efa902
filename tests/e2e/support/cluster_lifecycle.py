"""A whole cluster's life, run by `isolated.sh` in two copies of a checkout: argv is the copies' folders.

It comes up, holds pods, is killed and comes up again, refuses a second checkout, is killed once more and goes away;
what is left on the machine afterwards is printed, and makes it fail.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE, OTHER = (Path(argument) for argument in sys.argv[1:])
CHANGES = Path("/run/changes")
# What an empty /run holds here: folders of `isolated.sh` and of mount(8), and a lock that is never removed.
EMPTY = {f"/run/{name}" for name in ("changes", "hierarchies", "mount", "lock", "lock/turnout-cluster.lock")}
KUBECTL = [str(HERE / ".cluster/bin/kubectl"), "--kubeconfig", str(HERE / ".cluster/kubeconfig")]
PODS = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "gpus"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "gpus"}},
        "template": {
            "metadata": {"labels": {"app": "gpus"}},
            "spec": {
                "containers": [
                    {
                        "name": "pause",
                        "image": "turnout.local/pause:1",
                        "imagePullPolicy": "Never",
                        "resources": {"limits": {"nvidia.com/gpu": 2}},
                    }
                ]
            },
        },
    },
}


def cluster(command: str, checkout: Path = HERE) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.cluster", command]
    return subprocess.run(argv, cwd=checkout, text=True, capture_output=True, check=False)


def must(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}: {done.stdout}{done.stderr}"
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    return must(subprocess.run([*KUBECTL, *arguments], input=stdin, text=True, capture_output=True, check=False))


def timed_up() -> float:
    started = time.monotonic()
    must(cluster("up"))
    return time.monotonic() - started


def processes() -> dict[int, str]:
    """Everything that runs beside this process and the shells it is in."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (1, os.getpid()):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            if command:
                found[int(entry.name)] = command
    return found


def crash(*, spare: str = "nothing") -> None:
    """Kill what runs, as a power cut would, but for the processes with `spare` in their command."""
    for pid, command in processes().items():
        if spare not in command:
            os.kill(pid, signal.SIGKILL)


def wait_for_pods() -> None:
    kubectl("rollout", "status", "deployment/gpus", "--timeout=60s")


def left_behind() -> list[str]:
    """What a machine without a cluster would not have; folders do not count, nor what is gone (a character device)."""
    files = [str(path) for path in CHANGES.rglob("*") if not path.is_dir() and not path.is_char_device()]
    run = [str(path) for path in Path("/run").rglob("*") if not path.is_relative_to(CHANGES) and str(path) not in EMPTY]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(HERE) in line]
    links = [link["ifname"] for link in json.loads(must(_shell("ip", "-json", "link"))) if link["ifname"] != "lo"]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob("**/kubepods")]
    rules = must(_shell("nft", "list", "ruleset")).splitlines()
    state = [str(HERE / ".cluster")] if (HERE / ".cluster").exists() else []
    return [*files, *run, *mounts, *links, *groups, *rules, *state, *processes().values()]


def _shell(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, text=True, capture_output=True, check=False)


def main() -> None:
    seconds = {"from nothing": timed_up(), "when up": timed_up()}
    kubectl("apply", "--filename", "-", stdin=json.dumps(PODS))
    wait_for_pods()

    crash()
    seconds["after a crash"] = timed_up()
    wait_for_pods()

    refused = cluster("up", OTHER)
    assert refused.returncode == 1
    assert str(HERE) in refused.stderr, refused.stderr

    crash(spare="containerd-shim")
    must(cluster("down"))
    remains = left_behind()
    assert not remains, "\n".join(remains)
    must(cluster("down"))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
