"""One stream by hand: refusals, slow answers, reconnects."""

import pytest
from tests.unit.xds.builders import DRAIN, Gateway, route

from turnout_operator.plan.routes import Endpoint
from turnout_operator.xds.resources import Kind
from turnout_operator.xds.stream import WINDOW, StreamState


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


def test_a_drain_that_began_before_an_unknown_route_was_told_of_is_called_off() -> None:
    gateway = Gateway()
    gateway.ask(Kind.CLUSTER, held={"demo/gone": "x"})
    assert gateway.sent() == []
    assert gateway.state.deadline() == DRAIN
    gateway.ask(Kind.ROUTE, "demo/fd", held={"demo/fd": "older"})
    assert gateway.sent(DRAIN) == []
    assert gateway.state.deadline() is None


def test_a_changed_cluster_is_followed_by_its_endpoints() -> None:
    gateway = Gateway(route())
    assert gateway.reconnect(CLUSTER={"demo/a": "older"}) == [("CLUSTER", "demo/a"), ("ENDPOINTS", "demo/a")]


def test_endpoints_that_came_before_their_cluster_changed_do_not_count() -> None:
    gateway = Gateway(route())
    gateway.ask(Kind.ENDPOINTS, "demo/a")
    (early,) = gateway.sent()
    gateway.ask(Kind.CLUSTER, held={"demo/a": "older"})
    (cluster,) = gateway.sent()
    gateway.ask(Kind.ROUTE, "demo/fd", held={"demo/fd": "older"})
    gateway.ack(early)
    (late,) = gateway.sent()
    gateway.ack(cluster)
    assert gateway.sent() == []
    gateway.ack(late)
    assert [response.kind for response in gateway.sent()] == [Kind.ROUTE]


def test_a_suspect_is_never_sent_in_company() -> None:
    gateway = Gateway(route("one", {"a": 10_000}), route("two", {"b": 10_000}))
    gateway.ask(Kind.ENDPOINTS, "demo/a", "demo/b")
    (batch,) = gateway.sent()
    gateway.ask(Kind.ENDPOINTS, "demo/c")
    gateway.ack(batch, error="one of them is bad")
    assert [len(response.resources) for response in gateway.sent()] == [1, 1, 1]


def test_endpoints_that_are_mended_are_told_to_the_policies_that_use_them() -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.endpoints("a", Endpoint("nonsense", 1))
    gateway.ack(gateway.sent()[0], error="malformed IP address")
    assert gateway.state.error("demo/fd") == "malformed IP address"
    gateway.state.changed.clear()
    gateway.endpoints("a", Endpoint("10.0.0.9", 1))
    gateway.settle()
    assert gateway.state.changed == {"demo/fd"}
    assert gateway.state.error("demo/fd") is None


@pytest.mark.parametrize("drop", [(), ("demo/fd",)])
def test_who_asks_again_for_what_it_refused_is_sent_it_again(drop: tuple[str, ...]) -> None:
    gateway = Gateway(route())
    gateway.open()
    gateway.route(route(version="bad"))
    gateway.ack(gateway.sent()[0], error="no")
    gateway.ask(Kind.ROUTE, drop=drop)
    gateway.ask(Kind.ROUTE, "demo/fd")
    assert [response.kind for response in gateway.sent()] == [Kind.ROUTE]
