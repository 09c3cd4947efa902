"""Where to listen."""

import errno
import socket
from dataclasses import dataclass

from turnout_runtime.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; port 0 takes any free one. `grpc` is listened on where gRPC is installed; None: nowhere.

    `shared` lets several processes listen on the same ports; the kernel spreads connections over them.
    """

    host: str | None = None
    http: int = 8080
    admin: int = 8081
    grpc: int | None = None
    shared: bool = False


def bind(host: str | None, port: int, *, shared: bool = False) -> socket.socket:
    """A TCP socket that does not listen yet; without a host on all addresses. Raises `ConfigInvalid`."""
    if host is None and socket.has_dualstack_ipv6():
        try:
            return _bound(socket.AF_INET6, ("::", port), shared)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # IPv6 is switched off
                raise _cannot(port, error) from error
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0]  # noqa: S104  # a pod's port
        return _bound(found[0], found[4], shared)
    except OSError as error:
        raise _cannot(port, error) from error


def _bound(family: int, address: tuple[object, ...], shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.setblocking(False)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _cannot(port: int, error: OSError) -> ConfigInvalid:
    return ConfigInvalid(f"cannot listen on port {port}: {error.strerror}")
