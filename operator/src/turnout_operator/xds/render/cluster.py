"""One revision's pods: an EDS cluster and its endpoints."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from turnout_operator.plan.routes import Endpoint
from turnout_operator.xds.render import JsonMap, ads, typed
from turnout_operator.xds.render.tls import CERTIFICATE, sds, transport_socket

# Envoy must be the one who closes idle connections: a request on one that the pod has just closed is lost.
_UPSTREAM_IDLE = "30s"
_UNBOUNDED = 65_536
_OVERPROVISIONED = 100_000


def cluster(name: str, sds_directory: PurePosixPath | None = None) -> dict[str, object]:
    """The cluster of one revision; it depends on the revision alone, so that an endpoint never changes it.

    With `sds_directory` its pods are spoken to by mutual TLS, with the certificate that the gateway has for the
    operator. Whose certificate the pods show is not asked: their addresses come from the API server, and it is they who
    must know their caller.
    """
    guard = {"transport_socket": transport_socket(_client(sds_directory))} if sds_directory else {}
    return {
        **guard,
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ads()},
        "connect_timeout": "0.5s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "outlier_detection": _outlier_detection(),
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http()},
    }


def load_assignment(
    name: str, endpoints: Sequence[Endpoint], metadata: JsonMap | None = None, *, holds: bool = False
) -> dict[str, object]:
    """The endpoints of cluster `name`, each with `metadata`, in an order that does not depend on the caller's.

    A cluster that `holds` leaves nothing to the next one of an aggregate as long as one host in a thousand is healthy;
    by itself, Envoy hands a share on as soon as more than 28 % are not.
    """
    more: JsonMap = {"metadata": metadata} if metadata else {}
    hosts = [{**_host(*host), **more} for host in sorted({(each.address, each.port) for each in endpoints})]
    policy: JsonMap = {"policy": {"overprovisioning_factor": {"value": _OVERPROVISIONED}}} if holds else {}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}] if hosts else [], **policy}


def _client(sds_directory: PurePosixPath) -> dict[str, object]:
    return {"tls_certificate_sds_secret_configs": [sds(CERTIFICATE, sds_directory)]}


def _host(address: str, port: int) -> dict[str, object]:
    return {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}


def _thresholds() -> dict[str, object]:
    """The pods shed by themselves (429), so only retries are bounded here: the default of 3 at once loses requests."""
    return {
        "max_connections": _UNBOUNDED,
        "max_pending_requests": _UNBOUNDED,
        "max_requests": _UNBOUNDED,
        "retry_budget": {"budget_percent": {"value": 25.0}, "min_retry_concurrency": 64},
    }


def _outlier_detection() -> dict[str, object]:
    """Eject hosts that don't answer. A workflow's own 500s never eject: one caller's bad requests would."""
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": "2s",
        "max_ejection_percent": 50,
    }


def _http() -> dict[str, object]:
    return typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http_protocol_options": {}},
        common_http_protocol_options={"idle_timeout": _UPSTREAM_IDLE},
    )
