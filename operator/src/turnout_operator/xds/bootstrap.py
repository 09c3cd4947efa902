"""The bootstrap of a gateway's Envoy: how it finds the control plane, and what it shows of itself."""

from pathlib import PurePosixPath

from turnout_operator.xds.render import TYPE_PREFIX, JsonMap, ads, typed
from turnout_operator.xds.render.tls import AUTHORITY, CERTIFICATE, SDS_DIRECTORY, TLS_V3, sds, transport_socket

ADMIN_PORT = 9901
STATUS_PORT = 9902
MAX_CONNECTIONS = 20_000
TLS_DIRECTORY = PurePosixPath("/etc/turnout/tls")
_XDS = "xds"
_ADMIN = "admin"

# All else stays unallocated: at 1,000 clusters Envoy's own choice costs 3 times the memory.
_STATS_PREFIXES = ("http.gateway.", "listener_manager.", "cluster_manager.", "control_plane.", "server.")
_STATS_SUFFIXES = (
    ".upstream_rq_total",
    ".upstream_rq_2xx",
    ".upstream_rq_4xx",
    ".upstream_rq_5xx",
    ".upstream_rq_time",
    ".upstream_rq_timeout",
    ".upstream_rq_retry",
    ".upstream_rq_active",
    ".upstream_rq_pending_overflow",
    ".upstream_cx_connect_fail",
    ".membership_healthy",
    ".membership_total",
    ".outlier_detection.ejections_active",
)

# A rule may compare with 32 texts of 128 characters; Envoy's own limit of 100 is for expressions that callers write.
_RE2_LIMIT, _RE2_SIZE = "re2.max_program_size.error_level", 65_536


def bootstrap(
    *,
    xds_address: str,
    xds_port: int,
    tls: bool = True,
    server_name: str | None = None,
    tls_directory: PurePosixPath = TLS_DIRECTORY,
    sds_directory: PurePosixPath = SDS_DIRECTORY,
    admin_port: int = ADMIN_PORT,
    status_port: int = STATUS_PORT,
    node_id: str | None = None,
) -> dict[str, object]:
    """The bootstrap as a mapping. `node_id` is absent where `--service-node` gives it.

    `xds_address` is a DNS name of all operator pods, `server_name` the name in their certificate (default: the
    address). With `tls`, `sds_directory` holds `sds_files()` and `tls_directory` ca.crt, tls.crt, tls.key.
    """
    xds = _xds_cluster(xds_address, xds_port)
    if tls:
        xds["transport_socket"] = _transport_socket(server_name or xds_address, sds_directory)
    return {
        **({"node": {"id": node_id, "cluster": "turnout-gateway"}} if node_id else {}),
        "admin": {"address": _socket("127.0.0.1", admin_port)},
        "dynamic_resources": {"ads_config": _ads_config(), "cds_config": ads(), "lds_config": ads()},
        "static_resources": {
            "clusters": [xds, _admin_cluster(admin_port)],
            "listeners": [_status_listener(status_port)],
        },
        "stats_config": {"stats_matcher": _stats_matcher()},
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "layered_runtime": {"layers": [{"name": "turnout", "static_layer": {_RE2_LIMIT: _RE2_SIZE}}]},
    }


def sds_files(tls_directory: PurePosixPath = TLS_DIRECTORY) -> dict[str, dict[str, object]]:
    """Files for the SDS directory: they point to the certificates and have Envoy watch for their rotation."""
    watched = {"path": str(tls_directory)}
    certificate = {
        "certificate_chain": {"filename": str(tls_directory / "tls.crt")},
        "private_key": {"filename": str(tls_directory / "tls.key")},
        "watched_directory": watched,
    }
    authority = {"trusted_ca": {"filename": str(tls_directory / "ca.crt")}, "watched_directory": watched}
    return {
        f"{CERTIFICATE}.yaml": _secret(CERTIFICATE, "tls_certificate", certificate),
        f"{AUTHORITY}.yaml": _secret(AUTHORITY, "validation_context", authority),
    }


def _secret(name: str, kind: str, body: JsonMap) -> dict[str, object]:
    return {"resources": [typed(f"{TLS_V3}.Secret", name=name, **{kind: body})]}


def _ads_config() -> dict[str, object]:
    back_off = {"base_interval": "0.1s", "max_interval": "1s"}
    service = {"envoy_grpc": {"cluster_name": _XDS, "retry_policy": {"retry_back_off": back_off}}}
    return {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [service],
    }


def _xds_cluster(address: str, port: int) -> dict[str, object]:
    """HTTP/2 with keepalive: a frozen or vanished operator pod is noticed in 2-3 s."""
    http2 = {"connection_keepalive": {"interval": "1s", "timeout": "2s"}}
    dns = typed(
        "envoy.extensions.clusters.dns.v3.DnsCluster",
        dns_refresh_rate="2s",
        dns_failure_refresh_rate={"base_interval": "0.5s", "max_interval": "2s"},
    )
    return {
        "name": _XDS,
        "cluster_type": {"name": "envoy.clusters.dns", "typed_config": dns},
        "connect_timeout": "1s",
        "load_assignment": _static(_XDS, _socket(address, port)),
        "typed_extension_protocol_options": _protocol({"http2_protocol_options": http2}),
    }


def _admin_cluster(port: int) -> dict[str, object]:
    return {"name": _ADMIN, "type": "STATIC", "load_assignment": _static(_ADMIN, _socket("127.0.0.1", port))}


def _transport_socket(server_name: str, sds_directory: PurePosixPath) -> dict[str, object]:
    san = {"san_type": "DNS", "matcher": {"exact": server_name}}
    validation = {
        "default_validation_context": {"match_typed_subject_alt_names": [san]},
        "validation_context_sds_secret_config": sds(AUTHORITY, sds_directory),
    }
    common = {
        "tls_certificate_sds_secret_configs": [sds(CERTIFICATE, sds_directory)],
        "combined_validation_context": validation,
    }
    return transport_socket(common, sni=server_name)


def _status_listener(port: int) -> dict[str, object]:
    """Readiness and metrics without the rest of the admin interface."""
    paths = ("/ready", "/stats/prometheus")
    routes = [{"match": {"path": path}, "route": {"cluster": _ADMIN}} for path in paths]
    table = {"name": "status", "virtual_hosts": [{"name": "status", "domains": ["*"], "routes": routes}]}
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": typed("envoy.extensions.filters.http.router.v3.Router"),
    }
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="status",
        route_config=table,
        http_filters=[router],
    )
    chains = [{"filters": [{"name": "http", "typed_config": manager}]}]
    return {"name": "status", "address": _socket("0.0.0.0", port), "filter_chains": chains}  # noqa: S104


def _connection_limit() -> dict[str, object]:
    name = "envoy.resource_monitors.global_downstream_max_connections"
    message = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {"name": name, "typed_config": typed(message, max_active_downstream_connections=MAX_CONNECTIONS)}


def _stats_matcher() -> dict[str, object]:
    prefixes = [{"prefix": prefix} for prefix in _STATS_PREFIXES]
    return {"inclusion_list": {"patterns": [*prefixes, *({"suffix": suffix} for suffix in _STATS_SUFFIXES)]}}


def _protocol(options: dict[str, object]) -> dict[str, object]:
    name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {name: {"@type": TYPE_PREFIX + name, "explicit_http_config": options}}


def _static(name: str, address: dict[str, object]) -> dict[str, object]:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


def _socket(address: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": address, "port_value": port}}
