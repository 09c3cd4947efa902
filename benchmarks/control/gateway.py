"""One real Envoy that takes its routes from the operator under test."""

import asyncio
import json
import socket
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.control.processes import Process
from benchmarks.control.workload import SYSTEM

from turnout_operator.controller.certificates import GATEWAY_SECRET
from turnout_operator.kube.client import Api
from turnout_operator.kube.secrets import read_secret
from turnout_operator.xds.bootstrap import bootstrap, sds_files

GATEWAY_PORT = 8080  # the listener that the operator configures
CERTIFICATE_SECONDS = 10.0


class PortTaken(Exception):
    """Something else listens where the gateway would."""


async def envoy(api: Api, folder: Path, xds_ports: tuple[int, ...], admin_port: int) -> Process:
    """An Envoy, not started yet, that knows operators on all of `xds_ports` of this host. Raises PortTaken."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", GATEWAY_PORT)) == 0:
            raise PortTaken(f"port {GATEWAY_PORT} is taken; the gateway needs it")
    tls, sds = folder / "tls", folder / "sds"
    for directory, files in ((tls, await _certificates(api)), (sds, _sds(tls))):
        directory.mkdir()
        for name, data in files.items():
            (directory / name).write_bytes(data)
    config = folder / "envoy.json"
    config.write_text(json.dumps(_bootstrap(tls, sds, xds_ports, admin_port)))
    argv = [f"{Path(sys.executable).parent}/envoy", "--config-path", str(config), "--service-node", "bench"]
    options = ["--service-cluster", "turnout-gateway", "--disable-hot-restart", "--concurrency", "1"]
    return Process("envoy", [*argv, *options, "--log-level", "warning"])


async def _certificates(api: Api) -> dict[str, bytes]:
    """The client certificate that the operator made for its gateways."""
    async with asyncio.timeout(CERTIFICATE_SECONDS):
        while not (found := await read_secret(api, SYSTEM, GATEWAY_SECRET)):
            await asyncio.sleep(0.1)
    return found


def _sds(tls: Path) -> dict[str, bytes]:
    return {name: json.dumps(content).encode() for name, content in sds_files(PurePosixPath(tls)).items()}


def _bootstrap(tls: Path, sds: Path, xds_ports: tuple[int, ...], admin_port: int) -> dict[str, Any]:
    made: dict[str, Any] = bootstrap(
        xds_address="127.0.0.1",
        xds_port=xds_ports[0],
        server_name=f"turnout-xds.{SYSTEM}.svc",
        tls_directory=PurePosixPath(tls),
        sds_directory=PurePosixPath(sds),
        admin_port=admin_port,
        status_port=admin_port + 1,
    )
    # In a cluster one name resolves to all operator pods; here they differ by port.
    (xds,) = (cluster for cluster in made["static_resources"]["clusters"] if cluster["name"] == "xds")
    xds["load_assignment"]["endpoints"][0]["lb_endpoints"] = [_endpoint(port) for port in xds_ports]
    return made


def _endpoint(port: int) -> dict[str, Any]:
    return {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
