"""The bootstrap is one that Envoy's API takes, waits for the control plane, and shows nothing but its status."""

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.extensions.clusters.dns.v3 import dns_cluster_pb2  # noqa: F401
from envoy.extensions.resource_monitors.downstream_connections.v3 import downstream_connections_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2
from google.protobuf import json_format

from turnout_operator.xds import wire  # noqa: F401  (the other messages)
from turnout_operator.xds.bootstrap import bootstrap, sds_files


def made(**options: object) -> bootstrap_pb2.Bootstrap:
    config = bootstrap(xds_address="turnout-xds.turnout-system.svc", xds_port=18_000, **options)  # type: ignore[arg-type]
    return json_format.ParseDict(config, bootstrap_pb2.Bootstrap())


def test_it_waits_for_the_control_plane() -> None:
    dynamic = made().dynamic_resources
    for source in (dynamic.cds_config, dynamic.lds_config):
        assert source.HasField("ads")
        assert source.initial_fetch_timeout.ToNanoseconds() == 0
        assert source.HasField("initial_fetch_timeout")


def test_it_verifies_the_control_planes_name() -> None:
    xds = next(each for each in made().static_resources.clusters if each.name == "xds")
    context = tls_pb2.UpstreamTlsContext()
    assert xds.transport_socket.typed_config.Unpack(context)
    (san,) = (
        context.common_tls_context.combined_validation_context.default_validation_context.match_typed_subject_alt_names
    )
    assert san.matcher.exact == context.sni == "turnout-xds.turnout-system.svc"


def test_without_tls_there_is_none() -> None:
    assert not any(each.HasField("transport_socket") for each in made(tls=False).static_resources.clusters)


def test_admin_is_for_the_pod_itself() -> None:
    assert made().admin.address.socket_address.address == "127.0.0.1"


def test_the_node_id_comes_from_the_command_line_unless_given() -> None:
    assert not made().HasField("node")
    assert made(node_id="gateway-1").node.id == "gateway-1"


def test_sds_files_are_secrets_that_watch_their_directory() -> None:
    secrets = {}
    for content in sds_files().values():
        (resource,) = content["resources"]  # type: ignore[misc]
        secret = json_format.ParseDict({k: v for k, v in resource.items() if k != "@type"}, secret_pb2.Secret())
        secrets[secret.name] = secret
    assert secrets["certificate"].tls_certificate.watched_directory.path == "/etc/turnout/tls"
    assert secrets["authority"].validation_context.watched_directory.path == "/etc/turnout/tls"
