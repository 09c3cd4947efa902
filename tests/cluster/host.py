"""What the machine must offer before a cluster is started on it."""

import os
import shutil
import socket
import sys
from collections.abc import Iterable

from tests.cluster import prerequisites
from tests.cluster.paths import CHECKOUT
from tests.cluster.shell import ClusterError

FREE_BYTES = 6 << 30


def check() -> None:
    """Refuse hosts that cannot run the local cluster.

    Raises:
        ClusterError: the text says what would do.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ClusterError(
            "no running Docker found: start Docker, or run on Linux as root with Go for the local cluster"
        )
    prerequisites.go()
    if shutil.disk_usage(CHECKOUT).free < FREE_BYTES:
        raise ClusterError(f"less than {FREE_BYTES >> 30} GiB of disk are free")


def refuse_taken_ports(endpoints: Iterable[tuple[str, int]]) -> None:
    """Refuse to start when others listen where the cluster would.

    Raises:
        ClusterError: the text names the ports.
    """
    taken = [f"{address}:{port}" for address, port in endpoints if not _free(address, port)]
    if taken:
        raise ClusterError(f"other programs listen where the cluster would: {', '.join(taken)}")


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError:
            return False
    return True
