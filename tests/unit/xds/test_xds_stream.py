"""One stream by hand: order, isolation, reconnects, drains."""

import pytest
from tests.unit.xds.builders import HOST, Conversation, route

from turnout_operator.plan.routes import Endpoint, PolicyKey, PolicyRoute
from turnout_operator.xds.resources import Kind
from turnout_operator.xds.stream import WINDOW, StreamState
from turnout_operator.xds.table import Table

DRAIN = 5.0


class Gateway(Conversation):
    """A table and one Envoy's conversation about it."""

    def __init__(self, *policies: PolicyRoute, hosts: tuple[str, ...] = ("a", "b", "c")) -> None:
        self.table = Table(8080)
        for revision in hosts:
            self.table.set_endpoints(f"demo/{revision}", [HOST])
        for policy in policies:
            self.table.set_route(policy)
        super().__init__(StreamState(self.table, DRAIN))

    def route(self, policy: PolicyRoute) -> None:
        self.state.mark(self.table.set_route(policy))

    def delete(self, name: str) -> None:
        self.state.mark(self.table.delete_route(PolicyKey("demo", name)))

    def endpoints(self, revision: str, *hosts: Endpoint) -> None:
        self.state.mark(self.table.set_endpoints(f"demo/{revision}", hosts))

    def versions(self, kind: Kind) -> dict[str, str]:
        found = [self.table.get(kind, name) for name in self.table.names(kind)]
        return {each.name: each.version for each in found if each is not None}

    def reconnect(self, **stale: dict[str, str]) -> list[tuple[str, str]]:
        """An Envoy that held all of the table when its stream broke, but for `stale` (kind name to versions)."""
        self.state = StreamState(self.table, DRAIN)
        for kind in Kind:
            held = {**self.versions(kind), **stale.get(kind.name, {})}
            self.ask(kind, *(held if kind in (Kind.ENDPOINTS, Kind.ROUTE) else ()), held=held)
        return self.settle()


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


def test_the_first_scopes_do_not_wait_for_what_was_refused() -> None:
    gateway = Gateway(route("one", {"a": 10_000}), route("two", {"b": 10_000}))
    gateway.ask(Kind.CLUSTER)
    gateway.settle()
    gateway.ask(Kind.ENDPOINTS, "demo/a")
    gateway.ack(gateway.sent()[0], error="malformed IP address")
    gateway.ask(Kind.SCOPE)
    gateway.settle()
    assert gateway.state.error("demo/one") == "malformed IP address"
    assert gateway.state.error("demo/two") is None


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


def test_a_refused_route_keeps_its_old_clusters_and_holds_up_nobody() -> None:
    gateway = Gateway(route(weights={"a": 10_000}), route("other", {"c": 10_000}))
    gateway.open()
    gateway.route(route(weights={"b": 10_000}, version="bad"))
    gateway.route(route("other", {"c": 10_000}, version="v2"))
    for response in iter(lambda: gateway.state.next_response(0.0), None):
        bad = response.kind is Kind.ROUTE and response.resources[0].name == "demo/fd"
        gateway.ack(response, error="no" if bad else None)
        if response.kind is Kind.CLUSTER:
            gateway.ask(Kind.ENDPOINTS, "demo/b")
    assert gateway.state.error("demo/fd") == "no"
    assert gateway.state.acked("demo/other")
    assert gateway.settle(10 * DRAIN) == []
    gateway.route(route(weights={"b": 10_000}, version="good"))
    assert gateway.state.error("demo/fd") is None
    gateway.settle(10 * DRAIN)
    assert gateway.state.acked("demo/fd")
    assert gateway.settle(20 * DRAIN) == [("CLUSTER", "-demo/a")]


def test_returning_to_the_acked_version_clears_a_refusal_without_a_word() -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.route(route(version="bad"))
    (response,) = gateway.sent()
    gateway.ack(response, error="no")
    assert gateway.sent() == []
    gateway.route(route())
    assert gateway.sent() == []
    assert gateway.state.error("demo/fd") is None
    assert gateway.state.acked("demo/fd")


def test_a_refused_batch_is_sent_again_one_by_one_to_find_the_culprit() -> None:
    gateway = Gateway(route("one", {"a": 10_000}), route("two", {"b": 10_000}), route("three", {"c": 10_000}))
    gateway.ask(Kind.CLUSTER)
    gateway.settle()
    gateway.ask(Kind.ENDPOINTS, "demo/a", "demo/b", "demo/c")
    (batch,) = gateway.sent()
    gateway.ack(batch, error="one of them is bad")
    singles = gateway.sent()
    assert [len(response.resources) for response in singles] == [1, 1, 1]
    for response in singles:
        gateway.ack(response, error="bad" if response.resources[0].name == "demo/b" else None)
    gateway.ask(Kind.SCOPE)
    gateway.settle()
    errors = {name: gateway.state.error(f"demo/{name}") for name in ("one", "two", "three")}
    assert errors == {"one": None, "two": "bad", "three": None}


def test_a_slow_envoy_gets_the_latest_state_only() -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.route(route(version="v2"))
    (second,) = gateway.sent()
    for version in ("v3", "v4", "v5"):
        gateway.route(route(version=version))
    assert gateway.sent() == []
    gateway.ack(second)
    (last,) = gateway.sent()
    gateway.ack(last)
    assert gateway.state.acked("demo/fd")
    assert gateway.sent() == []


def test_what_is_unanswered_is_bounded() -> None:
    gateway = Gateway(*(route(f"p{i}") for i in range(2 * WINDOW)))
    for kind in (Kind.CLUSTER, Kind.ENDPOINTS, Kind.SCOPE):
        gateway.ask(kind, *(["demo/a"] if kind is Kind.ENDPOINTS else []))
        for response in gateway.sent():
            gateway.ack(response)
    gateway.ask(Kind.ROUTE, *(f"demo/p{i}" for i in range(2 * WINDOW)))
    sent = gateway.sent()
    assert len(sent) == WINDOW
    gateway.ack(sent[0])
    assert len(gateway.sent()) == 1


def test_an_envoy_that_comes_back_with_equal_versions_is_sent_nothing() -> None:
    gateway = Gateway(route(weights={"a": 9_000, "b": 1_000}), route("other"))
    gateway.open()
    assert gateway.reconnect() == []
    assert gateway.state.acked("demo/fd")
    assert gateway.state.acked("demo/other")


def test_an_envoy_that_comes_back_late_is_sent_what_changed() -> None:
    gateway = Gateway(route(), route("other"))
    assert gateway.reconnect(ROUTE={"demo/fd": "older"}) == [("ROUTE", "demo/fd")]


def test_unknown_clusters_stay_while_a_route_of_unknown_version_may_use_them() -> None:
    gateway = Gateway(route())
    gateway.state = StreamState(gateway.table, DRAIN)
    gateway.ask(Kind.CLUSTER, held={**gateway.versions(Kind.CLUSTER), "demo/gone": "x"})
    gateway.ask(Kind.ENDPOINTS, "demo/a", "demo/gone", held={**gateway.versions(Kind.ENDPOINTS), "demo/gone": "x"})
    gateway.ask(Kind.SCOPE, held=gateway.versions(Kind.SCOPE))
    gateway.ask(Kind.ROUTE, "demo/fd", held={"demo/fd": "older"})
    (update,) = gateway.sent(100.0)
    assert (update.kind, update.removed) == (Kind.ROUTE, ())
    gateway.ack(update)
    assert gateway.settle(100.0) == []
    assert gateway.settle(100.0 + DRAIN) == [("CLUSTER", "-demo/gone")]


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


def test_a_cluster_that_is_wanted_again_while_it_leaves_comes_back_whole() -> None:
    gateway = Gateway(route(weights={"a": 10_000}))
    gateway.open()
    gateway.route(route(weights={"b": 10_000}, version="v2"))
    gateway.settle()
    (removal,) = gateway.sent(DRAIN)
    gateway.route(route(weights={"a": 10_000}, version="v3"))
    gateway.ask(Kind.ENDPOINTS, drop=("demo/a",))
    assert gateway.sent(DRAIN) == []
    gateway.ack(removal)
    assert gateway.settle(DRAIN) == [("CLUSTER", "demo/a"), ("ENDPOINTS", "demo/a"), ("ROUTE", "demo/fd")]


def test_who_asks_again_is_sent_again() -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.ask(Kind.ENDPOINTS, "demo/a")
    assert gateway.settle() == [("ENDPOINTS", "demo/a")]


def test_endpoints_of_a_cluster_that_nobody_knows_are_empty_rather_than_a_silence() -> None:
    gateway = Gateway()
    gateway.ask(Kind.ENDPOINTS, "demo/gone")
    (response,) = gateway.sent()
    assert not response.resources[0].populated


@pytest.mark.parametrize("kind", [Kind.SCOPE, Kind.ROUTE])
def test_changes_are_told_by_objective(kind: Kind) -> None:
    gateway = Gateway(route(), route("other"))
    gateway.open()
    gateway.state.changed.clear()
    gateway.route(route(version="v2"))
    gateway.settle()
    assert gateway.state.changed == {"demo/fd"}
