"""The host's network for the cluster: a bridge, forwarding, and how all of it is taken back."""

import json
import shutil
from pathlib import Path

from tests.cluster import settings
from tests.cluster.paths import RUN
from tests.cluster.shell import run, succeeds

SAVED = RUN / "sysctls.json"
COMMENT = "turnout-cluster"
# What the cluster needs, or its components change; None: only put back on `down`.
SYSCTLS: dict[str, str | None] = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/ipv4/conf/all/route_localnet": None,
    "vm/overcommit_memory": None,
    "vm/panic_on_oom": None,
    "kernel/panic": None,
    "kernel/panic_on_oops": None,
    "net/netfilter/nf_conntrack_tcp_timeout_established": None,
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait": None,
}
FORWARD = [
    ["FORWARD", direction, settings.BRIDGE, "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT"]
    for direction in ("-i", "-o")
]


def up() -> None:
    """Make the bridge with the node's address and let pods' traffic through."""
    _save_sysctls()
    succeeds(["modprobe", "br_netfilter"])
    for name, value in SYSCTLS.items():
        if value is not None:
            _write(name, value)
    if not succeeds(["ip", "link", "show", settings.BRIDGE]):
        run(["ip", "link", "add", settings.BRIDGE, "type", "bridge"])
    prefix = settings.POD_NETWORK.partition("/")[2]
    run(["ip", "address", "replace", f"{settings.NODE_ADDRESS}/{prefix}", "dev", settings.BRIDGE])
    run(["ip", "link", "set", settings.BRIDGE, "up"])
    if drops_forwarded():
        for rule in FORWARD:
            if not succeeds(["iptables", "-w", "-C", *rule]):
                run(["iptables", "-w", "-I", *rule])


def down() -> None:
    """Remove the bridge and every rule of ours and of kube-proxy's, and put kernel settings back."""
    if drops_forwarded():
        for rule in FORWARD:
            while succeeds(["iptables", "-w", "-D", *rule]):
                pass
    for family in ("ip", "ip6"):
        succeeds(["nft", "delete", "table", family, "kube-proxy"])
    succeeds(["ip", "link", "delete", settings.BRIDGE])
    if SAVED.exists():
        for name, value in json.loads(SAVED.read_text()).items():
            _write(name, value)
        SAVED.unlink()


def drops_forwarded() -> bool:
    """Tell whether the host drops what it is not told to forward, as Docker leaves it; asking changes nothing."""
    return shutil.which("iptables") is not None and "-P FORWARD DROP" in run(["iptables", "-w", "-S", "FORWARD"])


def _save_sysctls() -> None:
    if not SAVED.exists():
        SAVED.parent.mkdir(parents=True, exist_ok=True)
        values = {name: value for name in SYSCTLS if (value := _read(name)) is not None}
        SAVED.write_text(json.dumps(values))


def _read(name: str) -> str | None:
    path = Path("/proc/sys") / name
    return path.read_text().strip() if path.exists() else None


def _write(name: str, value: str) -> None:
    path = Path("/proc/sys") / name
    if path.exists() and path.read_text().strip() != value:
        path.write_text(value)
