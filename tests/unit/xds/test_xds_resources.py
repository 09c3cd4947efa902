"""Routes as Envoy resources: what is in them, when their versions change, and that Envoy's API takes them."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.xds.builders import HOST, route

from turnout_operator.plan.branches import branches
from turnout_operator.plan.routes import ArmRoute, Endpoint, PolicyKey, PolicyRoute, Sticky
from turnout_operator.xds.resources import (
    Kind,
    Resource,
    bundle,
    cluster_resource,
    endpoints_resource,
    listener_resource,
)
from turnout_operator.xds.subscription import Response
from turnout_operator.xds.wire import NotRenderable, discovery_pb2, encode, message

LABEL = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
STICKY = st.one_of(
    st.none(),
    st.builds(Sticky, st.just("header"), st.from_regex(r"[a-z][-a-z0-9]{0,20}", fullmatch=True)),
    st.builds(Sticky, st.just("body"), st.from_regex(r"[A-Za-z_]\w{0,9}(\.[A-Za-z_]\w{0,9}){0,3}", fullmatch=True)),
)


@st.composite
def policies(draw: st.DrawFn) -> PolicyRoute:
    names = draw(st.lists(LABEL, min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(names) - 1, max_size=len(names) - 1)))
    weights = [end - start for start, end in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    arms = tuple(ArmRoute(name, f"ns/{name}", name, weight) for name, weight in zip(names, weights, strict=True))
    key = PolicyKey(draw(LABEL), draw(LABEL))
    return PolicyRoute(key, draw(LABEL), "abc", draw(STICKY), arms, draw(st.floats(0.001, 3_600)))


def table(resource: Resource) -> dict[str, object]:
    parsed: dict[str, object] = json_format.MessageToDict(message(Kind.ROUTE, resource))
    return parsed


@settings(deadline=None)
@given(policies())
def test_every_route_renders_and_splits_the_whole(policy: PolicyRoute) -> None:
    made = bundle(policy)
    parsed = message(Kind.ROUTE, made.route)
    (host,) = parsed.virtual_hosts  # type: ignore[attr-defined]
    actions = [each.route for each in host.routes if each.HasField("route")]
    answering = [action for action in actions if action.HasField("weighted_clusters")]
    assert (len(actions), len(answering)) == (3, 2)
    for action in answering:
        clusters = action.weighted_clusters.clusters
        assert sum(each.weight.value for each in clusters) == 10_000
        assert {each.name for each in clusters} == made.route.uses <= made.clusters
    assert message(Kind.SCOPE, made.scope).route_configuration_name == made.name  # type: ignore[attr-defined]


def test_the_stable_arm_is_last_and_arms_without_weight_are_left_out() -> None:
    policy = route(weights={"stable": 5_000, "one": 3_000, "idle": 0, "two": 2_000})
    (branch,) = branches(policy)
    assert [share.arm.revision for share in branch.shares] == ["one", "two", "stable"]
    assert "demo/idle" in bundle(policy).clusters


@pytest.mark.parametrize(("weights", "cluster"), [((9_000, 1_000), "a"), ((4_000, 6_000), "b"), ((5_000, 5_000), "a")])
def test_feedback_goes_to_the_largest_arm_and_to_stable_of_equals(weights: tuple[int, int], cluster: str) -> None:
    parsed = message(Kind.ROUTE, bundle(route(weights=dict(zip("ab", weights, strict=True)))).route)
    (feedback,) = [each for each in parsed.virtual_hosts[0].routes if each.match.path.endswith("/feedback")]  # type: ignore[attr-defined]
    assert feedback.route.cluster == f"demo/{cluster}"
    assert not feedback.request_headers_to_add


def test_propensity_is_the_weight_as_a_probability() -> None:
    text = str(table(bundle(route(weights={"a": 8_999, "b": 1, "c": 1_000})).route))
    for propensity in ("'0.8999'", "'0.0001'", "'0.1'"):
        assert propensity in text


@pytest.mark.parametrize(
    "change",
    [
        {"version": "v2"},
        {"timeout": 2.0},
        {"weights": {"b": 10_000}},
        {"sticky": Sticky("header", "x-id")},
        {"sticky": Sticky("body", "id")},
    ],
)
def test_a_change_of_the_route_changes_the_table_and_not_the_scope(change: dict[str, object]) -> None:
    old, new = bundle(route()), bundle(route(**change))  # type: ignore[arg-type]
    assert old.route.version != new.route.version
    assert old.scope.version == new.scope.version


def test_versions_are_of_the_content_alone() -> None:
    other = Endpoint("10.0.0.2", 8080)
    assert bundle(route()).route.version == bundle(route()).route.version
    one, two = endpoints_resource("demo/a", [HOST, other]), endpoints_resource("demo/a", [other, HOST, HOST])
    assert one.version == two.version != endpoints_resource("demo/a", [HOST]).version


def test_formatters_in_names_are_taken_literally() -> None:
    arms = (ArmRoute("100%REQ(x)%", "demo/a", "a", 10_000),)
    text = str(table(bundle(PolicyRoute(PolicyKey("demo", "p"), "p", "v%", None, arms, 1.0)).route))
    assert "100%%REQ(x)%%" in text
    assert "v%%" in text


def test_responses_are_the_protobuf_they_claim_to_be() -> None:
    resources = tuple(cluster_resource(f"demo/{name}") for name in "abc")
    data = encode(Response(Kind.CLUSTER, "7", resources, ("demo/gone",)))
    parsed = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
    assert (parsed.type_url, parsed.nonce, list(parsed.removed_resources)) == (Kind.CLUSTER, "7", ["demo/gone"])
    assert [(each.name, each.version) for each in parsed.resources] == [(each.name, each.version) for each in resources]
    assert [each.resource.type_url for each in parsed.resources] == [Kind.CLUSTER] * 3


@pytest.mark.parametrize("sds", [None, PurePosixPath("/sds")])
@pytest.mark.parametrize("name", ["demo/a", "demo/b"])
def test_a_cluster_made_from_the_prototype_is_the_cluster_as_rendered(name: str, sds: PurePosixPath | None) -> None:
    resource = cluster_resource(name, sds)
    assert resource.render is not None
    made = message(Kind.CLUSTER, resource)
    assert made == json_format.ParseDict(resource.render(), type(made)())


def test_guarded_pods_see_the_gateways_certificate_and_others_plain_http() -> None:
    guarded = str(message(Kind.CLUSTER, cluster_resource("demo/a", PurePosixPath("/sds"))))
    assert "/sds/certificate.yaml" in guarded
    assert "validation_context" not in guarded
    assert "transport_socket" not in str(message(Kind.CLUSTER, cluster_resource("demo/a")))


def actions(policy: PolicyRoute) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table(bundle(policy).route)["virtualHosts"][0]["routes"]  # type: ignore[index]
    return [each for each in found if "weightedClusters" in each.get("route", {})]


def test_streaming_answers_have_a_route_of_their_own_only_where_they_may_take_longer() -> None:
    hasty = replace(route(timeout=1.0), stream_seconds=6.0)
    assert [each["route"]["timeout"] for each in actions(hasty)] == ["6s", "1s", "6s", "1s"]
    assert [bool(each["match"].get("headers")) for each in actions(hasty)[2:]] == [True, False]
    assert len(actions(replace(route(timeout=6.0), stream_seconds=6.0))) == 2


def test_a_long_answer_may_be_silent_for_all_of_its_time() -> None:
    assert {each["route"].get("idleTimeout") for each in actions(route(timeout=400.0))} == {"400s"}
    assert {each["route"].get("idleTimeout") for each in actions(route(timeout=300.0))} == {None}


def test_the_listener_and_endpoints_are_taken_by_envoys_api() -> None:
    assert message(Kind.LISTENER, listener_resource(8080)).address.socket_address.port_value == 8080  # type: ignore[attr-defined]
    (group,) = message(Kind.ENDPOINTS, endpoints_resource("demo/a", [HOST])).endpoints  # type: ignore[attr-defined]
    assert group.lb_endpoints[0].endpoint.address.socket_address.address == HOST.address


def test_what_the_api_cannot_take_says_which_resource() -> None:
    with pytest.raises(NotRenderable, match="route demo/fd"):
        message(Kind.ROUTE, bundle(route(timeout=float("inf"))).route)
