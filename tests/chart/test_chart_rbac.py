"""The operator's and the users' rights, one by one: a verb more or less must be meant."""

from collections.abc import Iterator

from tests.chart.rendering import NAMESPACE, Manifests, Object, render

Right = tuple[str, str, str, str]  # group, resource, name or "", verb

SERVING = "serving.turnout.dev"
CHILDREN = [
    ("apps", "deployments"),
    ("", "services"),
    ("", "configmaps"),
    ("", "serviceaccounts"),
    ("policy", "poddisruptionbudgets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
]
KINDS = ("modeldeployments", "routingpolicies")
OPERATOR_EVERYWHERE: set[Right] = {
    *((SERVING, kind, "", verb) for kind in KINDS for verb in ("list", "watch")),
    *((SERVING, f"{kind}/status", "", "patch") for kind in KINDS),
    *((group, kind, "", verb) for group, kind in CHILDREN for verb in ("list", "watch", "create", "patch", "delete")),
    ("", "pods", "", "list"),
    ("", "pods", "", "watch"),
    ("discovery.k8s.io", "endpointslices", "", "list"),
    ("discovery.k8s.io", "endpointslices", "", "watch"),
    ("events.k8s.io", "events", "", "create"),
}
OPERATOR_AT_HOME: set[Right] = {
    ("coordination.k8s.io", "leases", "", "create"),
    ("coordination.k8s.io", "leases", "turnout-operator", "get"),
    ("coordination.k8s.io", "leases", "turnout-operator", "update"),
    ("", "secrets", "", "create"),
    ("", "secrets", "turnout-xds-ca", "get"),
    ("", "secrets", "turnout-xds-ca", "patch"),
    ("", "secrets", "turnout-xds-gateway", "get"),
    ("", "secrets", "turnout-xds-gateway", "patch"),
}
FOR_USERS = ("modeldeployments", "modeldeployments/scale", "routingpolicies")


def rights(role: Object) -> Iterator[Right]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    yield from ((group, resource, name, verb) for verb in rule["verbs"])


def test_the_operator_has_these_rights_and_no_other(chart: Manifests) -> None:
    assert set(rights(chart.get("ClusterRole", "turnout-operator"))) == OPERATOR_EVERYWHERE
    assert set(rights(chart.get("Role", "turnout-operator"))) == OPERATOR_AT_HOME


def test_nobody_else_is_given_any(chart: Manifests) -> None:
    bindings = [*chart.kind("ClusterRoleBinding"), *chart.kind("RoleBinding")]
    subject = {"kind": "ServiceAccount", "name": "turnout-operator", "namespace": NAMESPACE}
    assert [(each["kind"], each["roleRef"]["kind"], each["subjects"]) for each in bindings] == [
        ("ClusterRoleBinding", "ClusterRole", [subject]),
        ("RoleBinding", "Role", [subject]),
    ]
    assert {role["metadata"]["name"] for role in chart.kind("Role")} == {"turnout-operator"}


def test_users_with_the_built_in_roles_reach_both_kinds(chart: Manifests) -> None:
    edit, view = chart.get("ClusterRole", "turnout-edit"), chart.get("ClusterRole", "turnout-view")
    changes = ("create", "update", "patch", "delete", "deletecollection")
    assert set(rights(edit)) == {(SERVING, kind, "", verb) for kind in FOR_USERS for verb in changes}
    assert set(rights(view)) == {(SERVING, kind, "", verb) for kind in FOR_USERS for verb in ("get", "list", "watch")}
    assert aggregated(edit) == {"admin", "edit"}
    assert aggregated(view) == {"admin", "edit", "view"}


def aggregated(role: Object) -> set[str]:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    return {label.removeprefix(prefix) for label in role["metadata"]["labels"] if label.startswith(prefix)}


def test_the_users_roles_can_be_left_out() -> None:
    roles = {role["metadata"]["name"] for role in render(rbac__aggregate=False).kind("ClusterRole")}
    assert roles == {"turnout-operator"}
