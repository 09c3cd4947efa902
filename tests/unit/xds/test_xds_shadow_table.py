"""Shadows add clusters of the policy's own, whose endpoints follow those of the revisions."""

from dataclasses import replace

import orjson
import pytest
from tests.unit.xds.builders import HOST, route

from turnout_operator.plan.routes import ArmRoute, Endpoint, PolicyKey, PolicyRoute, Shadow
from turnout_operator.xds.resources import Kind, bundle
from turnout_operator.xds.table import Table
from turnout_operator.xds.wire import message

OWN = "demo/fd/shadow/next/b"
SHADOW = Shadow(ArmRoute("next", "demo/b", "b", 0), 2_500, 64, 65_536)
POLICY = replace(route(), shadows=(SHADOW,))


@pytest.fixture
def table() -> Table:
    return Table(8080)


def rendered(policy: PolicyRoute) -> str:
    found = bundle(policy).route.render
    return "" if found is None else orjson.dumps(found()).decode()


def test_a_shadow_has_the_revisions_endpoints_and_limits_of_its_own(table: Table) -> None:
    table.set_endpoints("demo/b", [HOST])
    assert {(Kind.CLUSTER, OWN), (Kind.ENDPOINTS, OWN)} <= table.set_route(POLICY)
    assert set(table.names(Kind.CLUSTER)) == {"demo/a", OWN}
    touched = table.set_endpoints("demo/b", [HOST, Endpoint("10.0.0.2", 1)])
    assert touched == {(Kind.ENDPOINTS, "demo/b"), (Kind.ENDPOINTS, OWN)}
    cluster = table.get(Kind.CLUSTER, OWN)
    assert cluster is not None
    (limits,) = message(Kind.CLUSTER, cluster).circuit_breakers.thresholds  # type: ignore[attr-defined]
    assert (limits.max_requests.value, limits.max_connections.value, limits.max_pending_requests.value) == (64, 64, 64)


def test_a_shadow_that_goes_leaves_nothing(table: Table) -> None:
    table.set_endpoints("demo/b", [HOST])
    table.set_route(POLICY)
    table.set_route(replace(POLICY, shadows=()))
    assert set(table.names(Kind.CLUSTER)) == {"demo/a"}
    assert table.set_endpoints("demo/b", []) == {(Kind.ENDPOINTS, "demo/b")}
    table.set_route(POLICY)
    table.delete_route(PolicyKey("demo", "fd"))
    assert not [*table.names(Kind.CLUSTER), *table.names(Kind.ENDPOINTS)]


def test_another_limit_changes_the_cluster_and_another_share_the_route_alone(table: Table) -> None:
    table.set_route(POLICY)
    assert (Kind.CLUSTER, OWN) in table.set_route(replace(POLICY, shadows=(replace(SHADOW, max_concurrent=1),)))
    table.set_route(POLICY)
    touched = table.set_route(replace(POLICY, shadows=(replace(SHADOW, percent=1),)))
    assert Kind.CLUSTER not in {kind for kind, _ in touched}


def test_a_guarded_shadow_is_spoken_to_by_mutual_tls(table: Table) -> None:
    guarded = replace(SHADOW, arm=replace(SHADOW.arm, guarded=True))
    table.set_route(replace(POLICY, shadows=(guarded,)))
    own, other = table.get(Kind.CLUSTER, OWN), table.get(Kind.CLUSTER, "demo/a")
    assert own is not None
    assert other is not None
    assert message(Kind.CLUSTER, own).HasField("transport_socket")
    assert not message(Kind.CLUSTER, other).HasField("transport_socket")


def test_without_a_shadow_or_with_the_arm_itself_as_one_nothing_is_rendered() -> None:
    itself = replace(SHADOW, arm=ArmRoute("same", "demo/a", "a", 0))
    plain = rendered(route())
    assert "mirror" not in plain
    assert "content-length" not in plain
    assert rendered(replace(route(), shadows=(itself,))) == plain


def test_many_shadows_of_one_size_add_one_route() -> None:
    more = tuple(replace(SHADOW, arm=ArmRoute(name, f"demo/{name}", name, 0)) for name in "cde")
    assert rendered(POLICY).count('"weighted_clusters"') == 3
    assert rendered(replace(POLICY, shadows=(SHADOW, *more))).count('"weighted_clusters"') == 3
