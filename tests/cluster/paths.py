"""Where the test cluster keeps things: one place, so that `down` knows all of it."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent
RUN = Path("/run/turnout-cluster")  # short paths for sockets; emptied by a reboot, as the processes are
KUBELET_ROOT = Path("/var/lib/turnout-cluster")  # pods' volumes beside the kubelet's sockets: on disk, and short too


def cache_root() -> Path:
    """Return the folder that outlives checkouts: built programs and images."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "turnout"


@dataclass(frozen=True)
class State:
    """The files of one checkout's cluster."""

    root: Path = CHECKOUT / ".cluster"

    @property
    def bin(self) -> Path:
        """Links to the programs of the cache, put on PATH by `env`."""
        return self.root / "bin"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration files and the components' kubeconfigs."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """What etcd and containerd keep."""
        return self.root / "data"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def env(self) -> Path:
        return self.root / "env"

    @property
    def gateway_url(self) -> Path:
        return self.root / "gateway-url"

    @property
    def images(self) -> Path:
        return self.root / "images.json"
