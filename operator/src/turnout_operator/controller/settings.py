"""The operator's command line and environment."""

import argparse
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What one operator process was started with."""

    namespace: str
    identity: str
    runtime_image: str
    xds_port: int
    http_port: int
    xds_service: str
    log_level: str
    scrape_seconds: float


def parse(argv: Sequence[str] | None = None) -> Settings:
    """Settings from flags, with the pod's downward API as defaults; exits with a usage message on bad ones."""
    parser = argparse.ArgumentParser("turnout-operator", description=__doc__)
    namespace = os.environ.get("POD_NAMESPACE", "turnout-system")
    parser.add_argument("--namespace", default=namespace, help="the operator's own namespace (%(default)s)")
    parser.add_argument("--runtime-image", required=True, help="image of revisions that name none")
    parser.add_argument("--xds-port", type=int, default=18000, help="delta ADS for the gateways (%(default)s)")
    parser.add_argument("--http-port", type=int, default=8080, help="/livez, /readyz, /metrics (%(default)s)")
    parser.add_argument("--xds-service", default="", help="DNS name of the xDS service (turnout-xds.NAMESPACE.svc)")
    parser.add_argument(
        "--scrape-seconds", type=_seconds, default=15.0, help="between two looks at the pods' metrics (%(default)s)"
    )
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    given = parser.parse_args(argv)
    return Settings(
        namespace=given.namespace,
        identity=os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
        runtime_image=given.runtime_image,
        xds_port=given.xds_port,
        http_port=given.http_port,
        xds_service=given.xds_service or f"turnout-xds.{given.namespace}.svc",
        log_level=given.log_level,
        scrape_seconds=given.scrape_seconds,
    )


def _seconds(text: str) -> float:
    """A number of seconds from 1 to 300; raises argparse's error otherwise."""
    with suppress(ValueError):
        if 1 <= (seconds := float(text)) <= 300:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 300")
