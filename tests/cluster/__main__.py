"""`python -m tests.cluster <command>`: a real Kubernetes cluster for tests and demos, and the images that run in it."""

import argparse
import sys
from collections.abc import Callable

from tests.cluster import images, programs
from tests.cluster.buildah import Buildah
from tests.cluster.local import LocalCluster
from tests.cluster.paths import State
from tests.cluster.progress import say
from tests.cluster.shell import ClusterError


def up() -> None:
    """Bring the cluster up; safe to repeat, also after a crash."""
    LocalCluster().up()


def down() -> None:
    """End the cluster and leave nothing of it."""
    LocalCluster().down()


def images_() -> None:
    """Build what changed of the images and load what the cluster lacks."""
    engine = Buildah()
    for line in images.summary(engine, images.ensure(engine, LocalCluster(), State())):
        say(line)


def tools() -> None:
    """Build kubectl, helm and kubeconform into .cluster/bin."""
    programs.link(programs.TOOLS, State().bin)


COMMANDS: dict[str, Callable[[], None]] = {"up": up, "down": down, "images": images_, "tools": tools}


def main() -> int:
    """Run the command that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="; ".join(f"{n}: {f.__doc__}" for n, f in COMMANDS.items()))
    try:
        COMMANDS[parser.parse_args().command]()
    except ClusterError as error:
        say(f"[red]{error}[/]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
