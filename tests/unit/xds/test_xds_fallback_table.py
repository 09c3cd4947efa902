"""A ladder adds clusters of the policy's own, whose endpoints follow those of the revisions."""

from dataclasses import replace

import pytest
from tests.unit.xds.builders import HOST, laddered, route

from turnout_operator.plan.routes import ArmRoute, Endpoint, PolicyKey, Static
from turnout_operator.xds.render.fallback import ladder_name
from turnout_operator.xds.resources import Kind
from turnout_operator.xds.table import Table

RUNG = "demo/fd/fallback/rung-b/b"
POLICY = laddered(route(), ["b"])
LADDER = ladder_name(POLICY, POLICY.arms[0])


@pytest.fixture
def table() -> Table:
    return Table(8080)


def hosts(table: Table, cluster: str) -> list[str]:
    found = table.get(Kind.ENDPOINTS, cluster)
    groups = found.render()["endpoints"] if found and found.render else []
    return [
        f"{each['endpoint']['address']['socket_address']['address']} {each.get('metadata', '')}"
        for group in groups
        for each in group["lb_endpoints"]
    ]


def test_a_rung_has_the_revisions_endpoints_and_says_whose_they_are(table: Table) -> None:
    table.set_endpoints("demo/b", [HOST])
    touched = table.set_route(POLICY)
    own = {(Kind.CLUSTER, LADDER), (Kind.CLUSTER, RUNG), (Kind.ENDPOINTS, RUNG)}
    assert own <= touched
    assert (Kind.ENDPOINTS, LADDER) not in touched
    assert "rung-b" in hosts(table, RUNG)[0]
    assert hosts(table, "demo/b") == ["10.0.0.1 "]
    touched = table.set_endpoints("demo/b", [HOST, Endpoint("10.0.0.2", 1)])
    assert touched == {(Kind.ENDPOINTS, "demo/b"), (Kind.ENDPOINTS, RUNG)}
    assert len(hosts(table, RUNG)) == 2
    table.set_endpoints("demo/b", [])
    assert hosts(table, RUNG) == []


def test_a_ladder_that_goes_leaves_nothing(table: Table) -> None:
    table.set_endpoints("demo/b", [HOST])
    table.set_route(POLICY)
    table.set_route(replace(POLICY, fallback=None))
    assert set(table.names(Kind.CLUSTER)) == {"demo/a"}
    assert table.set_endpoints("demo/b", []) == {(Kind.ENDPOINTS, "demo/b")}
    table.set_route(POLICY)
    table.delete_route(PolicyKey("demo", "fd"))
    assert not [*table.names(Kind.CLUSTER), *table.names(Kind.ENDPOINTS)]


def test_another_limit_changes_clusters_in_place_and_the_same_policy_none(table: Table) -> None:
    table.set_route(POLICY)
    touched = table.set_route(replace(laddered(route(), ["b"], limit=5), version="v2"))
    assert {name for kind, name in touched if kind is Kind.CLUSTER} == {LADDER, RUNG}
    touched = table.set_route(replace(laddered(route(), ["b"], limit=5), version="v3"))
    assert not [name for kind, name in touched if kind is Kind.CLUSTER]


def test_two_policies_rungs_of_one_revision_are_apart(table: Table) -> None:
    table.set_route(POLICY)
    table.set_route(laddered(route("other"), ["b"]))
    touched = table.set_endpoints("demo/b", [HOST])
    assert {name for _, name in touched} == {"demo/b", RUNG, "demo/other/fallback/rung-b/b"}


def test_a_guarded_rung_is_spoken_to_by_mutual_tls(table: Table) -> None:
    assert POLICY.fallback is not None
    guarded = replace(POLICY.fallback, arms=(ArmRoute("rung-b", "demo/b", "b", 0, guarded=True),))
    table.set_route(replace(POLICY, fallback=guarded))
    found = table.get(Kind.CLUSTER, RUNG)
    assert found is not None
    assert found.render is not None
    assert "transport_socket" in found.render()


def test_a_policy_without_a_ladder_is_rendered_as_ever(table: Table) -> None:
    table.set_route(route("plain"))
    found = table.get(Kind.ROUTE, "demo/plain")
    assert found is not None
    assert found.render is not None
    text = repr(found.render())
    assert not [word for word in ("fallback", "ladder", "per_filter", "retry_priority", "buffer") if word in text]


def test_a_static_answer_alone_needs_no_cluster_of_its_own(table: Table) -> None:
    assert POLICY.fallback is not None
    table.set_route(replace(POLICY, fallback=replace(POLICY.fallback, arms=(), static=Static("no", 0.0, 0.0))))
    assert set(table.names(Kind.CLUSTER)) == {"demo/a"}


def test_what_leads_a_ladder_holds_on_to_its_requests_until_the_last_ladder_goes(table: Table) -> None:
    def holds(cluster: str) -> bool:
        found = table.get(Kind.ENDPOINTS, cluster)
        return found is not None and found.render is not None and "policy" in found.render()

    table.set_endpoints("demo/a", [HOST])
    table.set_route(route("plain"))
    assert not holds("demo/a")
    assert (Kind.ENDPOINTS, "demo/a") in table.set_route(POLICY)
    assert (Kind.ENDPOINTS, "demo/a") not in table.set_route(laddered(route("other"), ["b"]))
    assert [holds("demo/a"), holds(RUNG)] == [True, True]
    table.set_endpoints("demo/a", [HOST, Endpoint("10.0.0.2", 1)])
    assert holds("demo/a")
    table.delete_route(PolicyKey("demo", "other"))
    assert holds("demo/a")
    assert (Kind.ENDPOINTS, "demo/a") in table.delete_route(PolicyKey("demo", "fd"))
    assert not holds("demo/a")
