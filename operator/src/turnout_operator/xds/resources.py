"""Envoy resources with content-hash versions, rendered once for all streams and only when one is sent."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import PurePosixPath

import orjson

from turnout_operator.plan.branches import branches
from turnout_operator.plan.routes import Endpoint, PolicyRoute
from turnout_operator.xds.render import TYPE_PREFIX
from turnout_operator.xds.render.cluster import cluster, load_assignment
from turnout_operator.xds.render.listener import LISTENER, listener
from turnout_operator.xds.render.route import route_configuration, route_name, scope

Render = Callable[[], dict[str, object]]


class Kind(StrEnum):
    """The xDS types that are served, in the order in which a stream needs them; values are type URLs."""

    CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
    ENDPOINTS = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
    SCOPE = TYPE_PREFIX + "envoy.config.route.v3.ScopedRouteConfiguration"
    ROUTE = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"


BY_NAME = (Kind.ENDPOINTS, Kind.ROUTE)
"""The types that an Envoy asks for by name; it wants all there are of the others."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Resource:
    """One named, versioned resource. `render` is absent for one that only an Envoy has told of.

    `uses` are the clusters that a route table sends to; `populated` is false for endpoints without a host.
    """

    name: str
    version: str
    render: Render | None
    uses: frozenset[str] = frozenset()
    populated: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """All that one policy adds. `clusters` are those of all its arms, `route.uses` of those with weight.

    `guarded` are the clusters that are spoken to by mutual TLS.
    """

    policy: PolicyRoute
    scope: Resource
    route: Resource
    clusters: frozenset[str] = field(default_factory=frozenset)
    guarded: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """The name of the scope and of the route table."""
        return self.route.name


def bundle(policy: PolicyRoute) -> Bundle:
    """The scope and route table of one policy."""
    name = route_name(policy)
    uses = frozenset(share.arm.cluster for branch in branches(policy) for share in branch.shares)
    return Bundle(
        policy=policy,
        scope=_resource(name, partial(scope, policy)),
        route=_resource(name, partial(route_configuration, policy), uses=uses),
        clusters=frozenset(arm.cluster for arm in policy.destinations),
        guarded=frozenset(arm.cluster for arm in policy.destinations if arm.guarded),
    )


def cluster_resource(name: str, sds_directory: PurePosixPath | None = None) -> Resource:
    """The cluster `name`; a constant of its name. `sds_directory` is given for one that is spoken to by mutual TLS."""
    return _resource(name, partial(cluster, name, sds_directory))


def endpoints_resource(name: str, endpoints: Sequence[Endpoint]) -> Resource:
    """The endpoints of cluster `name`."""
    return _resource(name, partial(load_assignment, name, tuple(endpoints)), populated=bool(endpoints))


def listener_resource(port: int) -> Resource:
    """The gateway's listener on `port`."""
    return _resource(LISTENER, partial(listener, port))


def reported(name: str, version: str) -> Resource:
    """What an Envoy says it holds and this process has never rendered."""
    return Resource(name, version, None)


def _resource(name: str, render: Render, *, uses: frozenset[str] = frozenset(), populated: bool = True) -> Resource:
    text = orjson.dumps(render(), option=orjson.OPT_SORT_KEYS)
    return Resource(name, hashlib.blake2b(text, digest_size=8).hexdigest(), render, uses, populated)
