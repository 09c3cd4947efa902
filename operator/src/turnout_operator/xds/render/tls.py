"""The TLS side of Envoy's clusters: certificates come from files that SDS watches."""

from pathlib import PurePosixPath

from turnout_operator.xds.render import JsonMap, typed

CERTIFICATE = "certificate"
AUTHORITY = "authority"
TLS_V3 = "envoy.extensions.transport_sockets.tls.v3"
SDS_DIRECTORY = PurePosixPath("/etc/turnout/bootstrap")
"""Where the chart mounts the files of `bootstrap.sds_files`."""


def transport_socket(common: JsonMap, **more: object) -> dict[str, object]:
    """A cluster's transport socket; `common` are fields of CommonTlsContext, `more` of UpstreamTlsContext."""
    # Both bounds: a client's maximum is TLS 1.2 unless it is told.
    versions = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
    context = typed(f"{TLS_V3}.UpstreamTlsContext", common_tls_context={**common, "tls_params": versions}, **more)
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def sds(name: str, directory: PurePosixPath) -> dict[str, object]:
    """A reference to the secret in a file of the SDS directory."""
    source = {"path": str(directory / f"{name}.yaml")}
    return {"name": name, "sds_config": {"path_config_source": source, "resource_api_version": "V3"}}
