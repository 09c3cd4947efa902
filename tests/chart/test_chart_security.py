"""Every pod of the chart satisfies the restricted Pod Security Standard, rule by rule, and a little more."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.chart.rendering import Manifests, Object

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def containers(pod: Object) -> list[Object]:
    spec = pod["spec"]
    return [*spec["containers"], *spec.get("initContainers", []), *spec.get("ephemeralContainers", [])]


def every(rule: Callable[[Object], bool]) -> Callable[[Object], bool]:
    """The rule for each container's security context."""
    return lambda pod: all(rule(each.get("securityContext", {})) for each in containers(pod))


# https://kubernetes.io/docs/concepts/security/pod-security-standards/, the profiles baseline and restricted.
RULES: dict[str, Callable[[Object], bool]] = {
    "no host namespaces": lambda pod: not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys(),
    "not privileged": every(lambda context: not context.get("privileged")),
    "drops all capabilities": every(lambda context: context.get("capabilities") == {"drop": ["ALL"]}),
    "only harmless volumes": lambda pod: all(VOLUMES & volume.keys() for volume in pod["spec"].get("volumes", [])),
    "no host ports": lambda pod: all("hostPort" not in port for c in containers(pod) for port in c.get("ports", [])),
    "no host in probes and hooks": lambda pod: '"host"' not in str(pod).replace("'", '"'),
    "no AppArmor override": lambda pod: "appArmorProfile" not in str(pod),
    "no SELinux options": lambda pod: "seLinuxOptions" not in str(pod),
    "default proc mount": lambda pod: "procMount" not in str(pod),
    "no sysctls": lambda pod: "sysctls" not in str(pod),
    "no privilege escalation": every(lambda context: context.get("allowPrivilegeEscalation") is False),
    "not root": lambda pod: pod["spec"]["securityContext"]["runAsNonRoot"] is True,
    "no user 0": lambda pod: pod["spec"]["securityContext"]["runAsUser"] == 65532,
    "no container says otherwise": every(lambda c: not {"runAsUser", "runAsNonRoot", "seccompProfile"} & c.keys()),
    "default seccomp": lambda pod: pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
    # Beyond the standard.
    "read-only root": every(lambda context: context.get("readOnlyRootFilesystem") is True),
    "memory is bounded": lambda pod: all("memory" in c["resources"]["limits"] for c in containers(pod)),
    "says whether it holds a token": lambda pod: "automountServiceAccountToken" in pod["spec"],
}


@pytest.mark.parametrize("rule", RULES)
def test_every_pod_follows(rule: str, chart: Manifests) -> None:
    pods = dict(chart.pods())
    assert set(pods) == {"Deployment/turnout-operator", "Deployment/turnout-gateway", "Pod/turnout-test"}
    assert [name for name, pod in pods.items() if not RULES[rule](pod)] == []


def broken(pod: Object, change: dict[str, Any]) -> Object:
    """The pod with its first container's security context changed."""
    first, *rest = pod["spec"]["containers"]
    context = {**first["securityContext"], **change}
    return {**pod, "spec": {**pod["spec"], "containers": [{**first, "securityContext": context}, *rest]}}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("not privileged", {"privileged": True}),
        ("drops all capabilities", {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}),
        ("no privilege escalation", {"allowPrivilegeEscalation": True}),
        ("no container says otherwise", {"runAsUser": 0}),
        ("read-only root", {"readOnlyRootFilesystem": False}),
    ],
)
def test_a_rule_sees_one_bad_container(rule: str, change: dict[str, Any], chart: Manifests) -> None:
    pod = dict(chart.pods())["Deployment/turnout-gateway"]
    assert not RULES[rule](broken(pod, change))


def test_only_the_operator_holds_a_token(chart: Manifests) -> None:
    holders = [name for name, pod in chart.pods() if pod["spec"]["automountServiceAccountToken"]]
    assert holders == ["Deployment/turnout-operator"]
    assert all(account["automountServiceAccountToken"] is False for account in chart.kind("ServiceAccount"))
