"""Between the stream's plain requests and responses and protobuf bytes."""

from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2

# Imported for their descriptors: a mapping with "@type" is parsed by the message of that name.
from envoy.extensions.clusters.aggregate.v3 import cluster_pb2 as aggregate_pb2  # noqa: F401
from envoy.extensions.filters.http.custom_response.v3 import custom_response_pb2  # noqa: F401
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2  # noqa: F401
from envoy.extensions.filters.http.json_to_metadata.v3 import json_to_metadata_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.http.upstream_codec.v3 import upstream_codec_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: F401
from envoy.extensions.http.custom_response.local_response_policy.v3 import local_response_policy_pb2  # noqa: F401
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import (  # noqa: F401
    header_mutation_pb2 as early_header_mutation_pb2,
)
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2  # noqa: F401
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: F401
from envoy.service.discovery.v3 import discovery_pb2
from envoy.type.matcher.v3 import http_inputs_pb2, status_code_input_pb2  # noqa: F401
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message

from turnout_operator.xds.render import JsonMap
from turnout_operator.xds.resources import Kind, Resource
from turnout_operator.xds.subscription import Request, Response

_MESSAGES = {
    Kind.CLUSTER: cluster_pb2.Cluster,
    Kind.ENDPOINTS: endpoint_pb2.ClusterLoadAssignment,
    Kind.LISTENER: listener_pb2.Listener,
    Kind.SCOPE: scoped_route_pb2.ScopedRouteConfiguration,
    Kind.ROUTE: route_pb2.RouteConfiguration,
}
# Their mappings are constructor arguments as they are: no durations, wrappers or Any, so no parser is needed.
_PLAIN = (Kind.ENDPOINTS, Kind.SCOPE)
_chunks: WeakKeyDictionary[Resource, bytes] = WeakKeyDictionary()


class NotRenderable(ValueError):
    """A resource has a value that Envoy's API can't take."""


def node_id(message: discovery_pb2.DeltaDiscoveryRequest) -> str:
    """The Envoy's name; only a stream's first request carries it."""
    return str(message.node.id)


def decode(message: discovery_pb2.DeltaDiscoveryRequest) -> Request | None:
    """The request, or None for a type that is not served."""
    try:
        kind = Kind(message.type_url)
    except ValueError:
        return None
    return Request(
        kind=kind,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        versions=dict(message.initial_resource_versions),
    )


def encode(response: Response) -> bytes:
    """A DeltaDiscoveryResponse: concatenated protobuf messages merge, so every resource is serialized only once."""
    head = discovery_pb2.DeltaDiscoveryResponse(
        type_url=response.kind, nonce=response.nonce, removed_resources=response.removed
    )
    return b"".join([head.SerializeToString(), *(_chunk(response.kind, each) for each in response.resources)])


def message(kind: Kind, resource: Resource) -> Message:
    """The resource as Envoy's own message. Raises NotRenderable for values that Envoy's API can't take."""
    fields = resource.render() if resource.render else {}
    try:
        if kind in _PLAIN:
            plain: Message = _MESSAGES[kind](**fields)
            return plain
        return _cluster(resource.name, fields) if kind is Kind.CLUSTER else _parse(kind, fields)
    except (json_format.ParseError, ValueError, TypeError) as error:
        raise NotRenderable(f"{kind.name.lower()} {resource.name}: {error}") from error


def _parse(kind: Kind, fields: dict[str, Any]) -> Message:
    parsed: Message = json_format.ParseDict(fields, _MESSAGES[kind]())
    return parsed


def _cluster(name: str, fields: JsonMap) -> Message:
    """Clusters differ in their names: a copy of the first one parsed costs a tenth of parsing each."""
    same = orjson.dumps({**fields, "name": ""}, option=orjson.OPT_SORT_KEYS)
    copy: Message = _MESSAGES[Kind.CLUSTER]()
    copy.CopyFrom(_prototype(same))
    copy.name = name  # type: ignore[attr-defined]
    return copy


@lru_cache(maxsize=64)
def _prototype(fields: bytes) -> Message:
    return _parse(Kind.CLUSTER, orjson.loads(fields))


def _chunk(kind: Kind, resource: Resource) -> bytes:
    chunk = _chunks.get(resource)
    if chunk is None:
        body = any_pb2.Any()
        body.Pack(message(kind, resource), deterministic=True)
        part = discovery_pb2.Resource(name=resource.name, version=resource.version, resource=body)
        chunk = _chunks[resource] = discovery_pb2.DeltaDiscoveryResponse(resources=[part]).SerializeToString()
    return chunk
