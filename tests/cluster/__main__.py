"""`python -m tests.cluster <command>`: a real Kubernetes cluster for tests and demos, and the images that run in it."""

import argparse
import sys
from collections.abc import Callable

from rich.markup import escape
from tests.cluster import docker, images, programs
from tests.cluster.buildah import Buildah
from tests.cluster.kind import KindCluster
from tests.cluster.local import LocalCluster
from tests.cluster.paths import State
from tests.cluster.progress import say
from tests.cluster.shell import ClusterError


def cluster() -> KindCluster | LocalCluster:
    """Return the kind of cluster that this machine can run."""
    return KindCluster() if docker.running() else LocalCluster()


def up() -> None:
    """Bring the cluster up; safe to repeat, also after a crash."""
    cluster().up()


def down() -> None:
    """End the cluster and leave nothing of it."""
    cluster().down()


def status() -> None:
    """Say what runs."""
    for line in cluster().status():
        say(line)


def engine(target: KindCluster | LocalCluster) -> images.Engine:
    """Return what builds images for the cluster."""
    return docker.Docker() if isinstance(target, KindCluster) else Buildah()


def build_images() -> None:
    """Build what changed of the images and load what the cluster lacks."""
    target = cluster()
    builder = engine(target)
    for line in images.summary(builder, images.ensure(builder, target, State())):
        say(line)


def tools() -> None:
    """Build kubectl, helm and kubeconform into .cluster/bin."""
    programs.link(programs.TOOLS, State().bin)


def kwok() -> None:
    """Build kwok, which fakes nodes for benchmarks, into .cluster/bin."""
    programs.link((programs.KWOK,), State().bin)


COMMANDS: dict[str, Callable[[], None]] = {
    "up": up,
    "down": down,
    "status": status,
    "images": build_images,
    "tools": tools,
    "kwok": kwok,
}


def main() -> int:
    """Run the command that is named, and return its exit status."""
    lines = "\n".join(f"  {name:<8} {command.__doc__}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster",
        description=f"{__doc__}\n\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command")
    try:
        COMMANDS[parser.parse_args().command]()
    except ClusterError as error:
        say(f"[red]✗[/] {escape(str(error))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
