"""Envoy resources with content-hash versions, rendered once for all streams and only when one is sent."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import PurePosixPath

import orjson

from turnout_operator.plan.branches import branches
from turnout_operator.plan.routes import ArmRoute, Endpoint, PolicyRoute
from turnout_operator.xds.render import TYPE_PREFIX, JsonMap
from turnout_operator.xds.render.cluster import cluster, load_assignment
from turnout_operator.xds.render.fallback import (
    ladder_cluster,
    ladder_members,
    ladder_name,
    rung_cluster,
    rung_metadata,
    rung_name,
)
from turnout_operator.xds.render.listener import LISTENER, listener
from turnout_operator.xds.render.route import route_configuration, route_name, scope
from turnout_operator.xds.render.shadow import shadow_cluster, shadow_name

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

    `uses` are the clusters that a route table sends to; `populated` is false for endpoints without a host. `bare` is a
    cluster without endpoints of its own, `spare` one that route tables don't wait for to have any.
    """

    name: str
    version: str
    render: Render | None
    uses: frozenset[str] = frozenset()
    populated: bool = True
    bare: bool = False
    spare: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OwnCluster:
    """A cluster that one policy has to itself. Its endpoints are those of cluster `copies`, each with `metadata`;
    None: it has none. `render` takes the SDS directory where the pods demand mutual TLS.

    `after` is the cluster that an aggregate asks first; it, and one that `holds`, hands no requests on as long as it
    has a healthy host.
    """

    render: Callable[[PurePosixPath | None], dict[str, object]]
    copies: str | None = None
    metadata: JsonMap | None = None
    after: str | None = None
    holds: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """All that one policy adds. `clusters` are those of all its arms, `route.uses` of those with weight.

    `guarded` are the clusters that are spoken to by mutual TLS, `own` those that no other policy has.
    """

    policy: PolicyRoute
    scope: Resource
    route: Resource
    clusters: frozenset[str] = field(default_factory=frozenset)
    guarded: frozenset[str] = field(default_factory=frozenset)
    own: Mapping[str, OwnCluster] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the scope and of the route table."""
        return self.route.name


def bundle(policy: PolicyRoute) -> Bundle:
    """The scope and route table of one policy."""
    name = route_name(policy)
    arms = [share.arm for branch in branches(policy) for share in branch.shares]
    own, guarded = _own_clusters(policy, arms), {arm.cluster for arm in policy.destinations if arm.guarded}
    uses = frozenset(arm.cluster for arm in arms) | own.keys()
    return Bundle(
        policy=policy,
        scope=_resource(name, partial(scope, policy)),
        route=_resource(name, partial(route_configuration, policy), uses=uses),
        clusters=frozenset(arm.cluster for arm in policy.chosen) | own.keys(),
        guarded=frozenset(guarded | {name for name, each in own.items() if each.copies in guarded}),
        own=own,
    )


def _own_clusters(policy: PolicyRoute, arms: Iterable[ArmRoute]) -> dict[str, OwnCluster]:
    """The shadows, the ladders of these arms, and the rungs of all."""
    found, fallback = _shadow_clusters(policy), policy.fallback
    if fallback is None or not fallback.arms:
        return found
    limit = fallback.max_concurrent
    for arm in arms:
        name = ladder_name(policy, arm)
        found[name] = OwnCluster(partial(ladder_cluster, name, ladder_members(policy, arm), limit), after=arm.cluster)
    for arm in fallback.arms:
        name = rung_name(policy, arm)
        found[name] = OwnCluster(partial(rung_cluster, name, limit), arm.cluster, rung_metadata(arm.name), holds=True)
    return found


def _shadow_clusters(policy: PolicyRoute) -> dict[str, OwnCluster]:
    found = {}
    for shadow in policy.shadows if policy.arms else ():
        name = shadow_name(policy, shadow)
        found[name] = OwnCluster(partial(shadow_cluster, name, shadow.max_concurrent), shadow.arm.cluster)
    return found


def cluster_resource(name: str, sds_directory: PurePosixPath | None = None, own: OwnCluster | None = None) -> Resource:
    """The cluster `name`; a constant of its name but where it is a policy's `own`. `sds_directory` is given for one
    that is spoken to by mutual TLS."""
    if own is None:
        return _resource(name, partial(cluster, name, sds_directory))
    return replace(_resource(name, partial(own.render, sds_directory)), bare=own.copies is None, spare=True)


def endpoints_resource(
    name: str, endpoints: Sequence[Endpoint], metadata: JsonMap | None = None, *, holds: bool = False
) -> Resource:
    """The endpoints of cluster `name`, each with `metadata`. `holds`: see `OwnCluster`."""
    render = partial(load_assignment, name, tuple(endpoints), metadata, holds=holds)
    return _resource(name, render, populated=bool(endpoints))


def listener_resource(port: int) -> Resource:
    """The gateway's listener on `port`."""
    return _resource(LISTENER, partial(listener, port))


def reported(name: str, version: str) -> Resource:
    """What an Envoy says it holds and this process has never rendered."""
    return Resource(name, version, None)


def _resource(name: str, render: Render, *, uses: frozenset[str] = frozenset(), populated: bool = True) -> Resource:
    text = orjson.dumps(render(), option=orjson.OPT_SORT_KEYS)
    return Resource(name, hashlib.blake2b(text, digest_size=8).hexdigest(), render, uses, populated)
