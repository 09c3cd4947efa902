"""One stream by hand: what is sent, and in which order."""

from tests.unit.xds.builders import DRAIN, HOST, Gateway, route

from turnout_operator.plan.routes import Endpoint
from turnout_operator.xds.resources import Kind


def test_a_fresh_envoy_gets_clusters_endpoints_listener_scopes_routes() -> None:
    gateway = Gateway(route(weights={"a": 9_000, "b": 1_000}))
    kinds = [kind for kind, _ in gateway.open()]
    assert list(dict.fromkeys(kinds)) == ["CLUSTER", "ENDPOINTS", "LISTENER", "SCOPE", "ROUTE"]
    assert gateway.state.acked("demo/fd")


def test_an_empty_table_answers_every_wildcard_so_that_envoy_can_start() -> None:
    gateway = Gateway()
    for kind in (Kind.CLUSTER, Kind.SCOPE):
        gateway.ask(kind)
        assert [response.kind for response in gateway.sent()] == [kind]


def test_the_first_scopes_wait_for_all_that_can_serve() -> None:
    gateway = Gateway(route("one", {"a": 10_000}), route("two", {"b": 10_000}))
    gateway.ask(Kind.CLUSTER)
    (clusters,) = gateway.sent()
    gateway.ask(Kind.ENDPOINTS, "demo/a", "demo/b")
    gateway.settle()
    gateway.ask(Kind.SCOPE)
    assert gateway.sent() == []
    gateway.ack(clusters)
    (scopes,) = gateway.sent()
    assert {each.name for each in scopes.resources} == {"demo/one", "demo/two"}


def test_a_swap_sends_cluster_and_endpoints_before_the_route_and_drops_the_old_after_the_drain() -> None:
    gateway = Gateway(route(weights={"a": 10_000}))
    gateway.open()
    gateway.route(route(weights={"b": 10_000}, version="v2"))
    assert gateway.settle() == [("CLUSTER", "demo/b"), ("ENDPOINTS", "demo/b"), ("ROUTE", "demo/fd")]
    assert gateway.state.deadline() == DRAIN
    assert gateway.settle(DRAIN - 0.1) == []
    assert gateway.settle(DRAIN) == [("CLUSTER", "-demo/a")]


def test_a_route_waits_until_its_clusters_are_acked() -> None:
    gateway = Gateway(route(weights={"a": 10_000}))
    gateway.open()
    gateway.route(route(weights={"b": 10_000}, version="v2"))
    (cluster,) = gateway.sent()
    gateway.ask(Kind.ENDPOINTS, "demo/b")
    (endpoints,) = gateway.sent()
    gateway.ack(endpoints)
    assert gateway.sent() == []
    gateway.ack(cluster)
    assert [response.kind for response in gateway.sent()] == [Kind.ROUTE]


def test_a_route_that_replaces_one_waits_for_endpoints_and_the_old_one_serves() -> None:
    gateway = Gateway(route(weights={"a": 10_000}), hosts=("a",))
    gateway.open()
    gateway.route(route(weights={"a": 5_000, "b": 5_000}, version="v2"))
    assert ("ROUTE", "demo/fd") not in gateway.settle()
    assert gateway.state.waiting("demo/fd") == ("demo/b",)
    gateway.endpoints("b", HOST)
    assert gateway.settle() == [("ENDPOINTS", "demo/b"), ("ROUTE", "demo/fd")]
    assert gateway.state.waiting("demo/fd") == ()


def test_a_new_route_does_not_wait_for_endpoints() -> None:
    gateway = Gateway(route(weights={"a": 10_000}), hosts=())
    assert ("ROUTE", "demo/fd") in gateway.open()


def test_an_abort_does_not_wait_for_capacity() -> None:
    gateway = Gateway(route(weights={"a": 9_000, "b": 1_000}))
    gateway.open()
    gateway.endpoints("a")
    gateway.settle()
    gateway.route(route(weights={"a": 10_000, "b": 0}, version="v2"))
    assert gateway.settle() == [("ROUTE", "demo/fd")]


def test_an_arm_without_weight_keeps_its_cluster_warm() -> None:
    gateway = Gateway(route(weights={"a": 9_000, "b": 1_000}))
    gateway.open()
    gateway.route(route(weights={"a": 10_000, "b": 0}, version="v2"))
    gateway.settle()
    assert gateway.settle(2 * DRAIN) == []
    gateway.route(route(weights={"a": 0, "b": 10_000}, version="v3"))
    assert gateway.settle() == [("ROUTE", "demo/fd")]


def test_an_endpoint_change_is_endpoints_only() -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.endpoints("a", HOST, Endpoint("10.0.0.2", 8080))
    assert gateway.settle() == [("ENDPOINTS", "demo/a")]


def test_a_deleted_policy_loses_its_scope_then_its_cluster() -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.delete("fd")
    assert gateway.settle() == [("SCOPE", "-demo/fd")]
    assert gateway.settle(DRAIN) == [("CLUSTER", "-demo/a")]


def test_a_cluster_that_is_wanted_again_within_the_drain_stays() -> None:
    gateway = Gateway(route(weights={"a": 10_000}))
    gateway.open()
    gateway.route(route(weights={"b": 10_000}, version="v2"))
    gateway.settle()
    gateway.route(route(weights={"a": 10_000}, version="v3"))
    assert gateway.settle(1.0) == [("ROUTE", "demo/fd")]
    assert gateway.settle(DRAIN) == []
    assert gateway.settle(DRAIN + 1.0) == [("CLUSTER", "-demo/b")]


def test_changes_are_told_by_objective() -> None:
    gateway = Gateway(route(), route("other"))
    gateway.open()
    gateway.state.changed.clear()
    gateway.route(route(version="v2"))
    gateway.settle()
    assert gateway.state.changed == {"demo/fd"}


def test_a_cluster_that_comes_back_is_warm_only_with_endpoints() -> None:
    gateway = Gateway(route(weights={"a": 10_000}))
    gateway.open()
    gateway.route(route(weights={"b": 10_000}, version="v2"))
    gateway.settle()
    gateway.settle(DRAIN)
    gateway.endpoints("a")
    gateway.route(route(weights={"a": 10_000}, version="v3"))
    assert ("ROUTE", "demo/fd") not in gateway.settle(DRAIN)
    assert gateway.state.waiting("demo/fd") == ("demo/a",)


def test_an_objective_that_nothing_could_answer_waits_for_its_first_endpoint() -> None:
    gateway = Gateway(route(weights={}), hosts=())
    assert gateway.open() == [("LISTENER", "gateway"), ("SCOPE", "demo/fd"), ("ROUTE", "demo/fd")]
    gateway.route(route(weights={"a": 10_000}, version="v2"))
    assert ("ROUTE", "demo/fd") not in gateway.settle()
    gateway.endpoints("a", HOST)
    assert gateway.settle() == [("ENDPOINTS", "demo/a"), ("ROUTE", "demo/fd")]
