"""The desired state tells exactly what a change touched."""

from dataclasses import replace

import pytest
from tests.unit.xds.builders import HOST, route

from turnout_operator.plan.routes import PolicyKey
from turnout_operator.xds.resources import Kind
from turnout_operator.xds.table import ObjectiveConflict, Table


@pytest.fixture
def table() -> Table:
    return Table(8080)


def test_a_new_policy_touches_its_scope_table_clusters_and_endpoints(table: Table) -> None:
    touched = table.set_route(route(weights={"a": 10_000}))
    assert touched == {
        (Kind.SCOPE, "demo/fd"),
        (Kind.ROUTE, "demo/fd"),
        (Kind.CLUSTER, "demo/a"),
        (Kind.ENDPOINTS, "demo/a"),
    }


def test_an_equal_route_touches_nothing(table: Table) -> None:
    table.set_route(route())
    assert table.set_route(route()) == frozenset()


def test_a_shared_cluster_stays_until_its_last_policy_leaves(table: Table) -> None:
    table.set_route(route("one"))
    table.set_route(route("two"))
    assert (Kind.CLUSTER, "demo/a") not in table.delete_route(PolicyKey("demo", "one"))
    assert list(table.users("demo/a")) == ["demo/two"]
    assert (Kind.CLUSTER, "demo/a") in table.delete_route(PolicyKey("demo", "two"))
    assert table.get(Kind.CLUSTER, "demo/a") is None


def test_a_cluster_that_becomes_guarded_is_sent_again(table: Table) -> None:
    plain = route()
    table.set_route(plain)
    old = table.get(Kind.CLUSTER, "demo/a")
    guarded = replace(plain, arms=tuple(replace(arm, guarded=True) for arm in plain.arms))
    assert (Kind.CLUSTER, "demo/a") in table.set_route(guarded)
    new = table.get(Kind.CLUSTER, "demo/a")
    assert old is not None
    assert new is not None
    assert old.version != new.version
    assert (Kind.CLUSTER, "demo/a") not in table.set_route(replace(guarded, version="v2"))


def test_endpoints_touch_endpoints_only(table: Table) -> None:
    table.set_route(route())
    assert table.set_endpoints("demo/a", [HOST]) == {(Kind.ENDPOINTS, "demo/a")}
    assert table.set_endpoints("demo/a", [HOST]) == frozenset()


def test_endpoints_may_come_before_the_route_and_go_after_it(table: Table) -> None:
    table.set_endpoints("demo/a", [HOST])
    table.set_route(route())
    found = table.get(Kind.ENDPOINTS, "demo/a")
    assert found is not None
    assert found.populated
    table.delete_route(PolicyKey("demo", "fd"))
    assert table.get(Kind.ENDPOINTS, "demo/a") is found
    table.set_endpoints("demo/a", [])
    assert table.get(Kind.ENDPOINTS, "demo/a") is None
    assert table.set_endpoints("demo/a", []) == frozenset()


def test_an_objective_has_one_policy_until_that_lets_go(table: Table) -> None:
    table.set_route(route("one", objective="fd"))
    with pytest.raises(ObjectiveConflict, match="demo/one") as conflict:
        table.set_route(route("two", objective="fd"))
    assert conflict.value.holder == PolicyKey("demo", "one")
    table.set_route(route("one", objective="else"))
    table.set_route(route("two", objective="fd"))
    assert set(table.names(Kind.ROUTE)) == {"demo/fd", "demo/else"}


def test_a_renamed_objective_drops_the_old_name(table: Table) -> None:
    table.set_route(route("one", objective="old"))
    touched = table.set_route(route("one", objective="new"))
    assert {(Kind.SCOPE, "demo/old"), (Kind.SCOPE, "demo/new")} <= touched
    assert table.get(Kind.ROUTE, "demo/old") is None


def test_nothing_is_left_of_what_is_gone(table: Table) -> None:
    table.set_endpoints("demo/a", [HOST])
    table.set_route(route())
    made = table.get(Kind.ROUTE, "demo/fd")
    assert made is not None
    table.refuse_route(made)
    assert table.is_refused("demo/fd")
    table.delete_route(PolicyKey("demo", "fd"))
    table.set_endpoints("demo/a", [])
    assert not any(list(table.names(kind)) for kind in Kind if kind is not Kind.LISTENER)
    assert not table.is_refused("demo/fd")
    assert not list(table.keys())


def test_a_route_without_endpoints_leaves_none_behind(table: Table) -> None:
    table.set_route(route())
    table.delete_route(PolicyKey("demo", "fd"))
    assert list(table.names(Kind.ENDPOINTS)) == []
