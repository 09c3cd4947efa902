"""The programs of the host: found, installed on Debian as root, or named in one clear line."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.progress import step
from tests.cluster.shell import ClusterError, run

# What proves that a Debian package is there -> the package.
NODE: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "nft": "nftables",
    "ip": "iproute2",
}
IMAGES: Mapping[str, str] = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ensure(needed: Mapping[str, str]) -> None:
    """Make sure that the programs of `needed` exist.

    Raises:
        ClusterError: some are missing and this is not Debian as root; the text says what to install.
    """
    packages = missing(needed)
    if not packages:
        return
    if not (is_debian() and os.geteuid() == 0):
        raise ClusterError(f"missing on this machine, please install: {' '.join(packages)}")
    with step(f"installing Debian packages {' '.join(packages)}"):
        install(packages)


def missing(needed: Mapping[str, str]) -> list[str]:
    """Return the packages whose proof is not on this machine."""
    return sorted({package for proof, package in needed.items() if not _found(proof)})


def install(packages: Iterable[str]) -> None:
    """Install Debian packages, without starting their services: the cluster runs its own."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1", "PATH": ADMIN_PATH}
    run(["apt-get", "update", "-qq"], env=environment)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environment)


def go() -> str:
    """Return the Go program's path.

    Raises:
        ClusterError: Go is not installed.
    """
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if not found:
        raise ClusterError("Go 1.26 or newer is missing, please install it: https://go.dev/dl/")
    return found


def is_debian() -> bool:
    """Tell whether apt-get installs Debian's packages here."""
    release = Path("/etc/os-release")
    return release.exists() and "debian" in release.read_text().lower() and shutil.which("apt-get") is not None


def _found(proof: str) -> bool:
    return Path(proof).exists() if proof.startswith("/") else shutil.which(proof, path=ADMIN_PATH) is not None
