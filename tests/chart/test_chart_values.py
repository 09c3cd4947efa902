"""Helm refuses what the schema does not know, and says which value it was."""

from typing import Any

import pytest
from tests.chart.rendering import CHART, helm, template

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"replica": 3}, "at '': additional properties 'replica' not allowed"),
    ({"operator__replica": 3}, "at '/operator': additional properties 'replica' not allowed"),
    ({"gateway__service__nodeport": 30080}, "at '/gateway/service': additional properties 'nodeport' not allowed"),
    ({"operator__resources__cpu": "1"}, "at '/operator/resources': additional properties 'cpu' not allowed"),
    ({"operator__replicas": 0}, "at '/operator/replicas': minimum: got 0, want 1"),
    ({"operator__replicas": "2"}, "at '/operator/replicas': got string, want integer"),
    ({"operator__logLevel": "verbose"}, "at '/operator/logLevel': value must be one of 'debug', 'info', 'warning'"),
    ({"operator__image__tag": "a b"}, "at '/operator/image/tag': 'a b' does not match pattern"),
    ({"operator__image__repository": "a/b:1"}, "at '/operator/image/repository': 'a/b:1' does not match pattern"),
    ({"operator__image__digest": "abc"}, "at '/operator/image/digest': 'abc' does not match pattern"),
    ({"operator__image": None}, "at '/operator': missing property 'image'"),
    ({"runtime__image__pullPolicy": "Always"}, "at '/runtime/image': additional properties 'pullPolicy' not allowed"),
    ({"gateway__image__pullPolicy": "Sometimes"}, "at '/gateway/image/pullPolicy': value must be one of"),
    ({"gateway__image__tag": ""}, "at '/gateway/image/tag': minLength: got 0, want 1"),
    ({"gateway__concurrency": 0}, "at '/gateway/concurrency': minimum: got 0, want 1"),
    ({"gateway__drainSeconds": 1}, "at '/gateway/drainSeconds': minimum: got 1, want 5"),
    ({"gateway__logLevel": "warn"}, "at '/gateway/logLevel': value must be one of"),
    ({"gateway__service__type": "ExternalName"}, "at '/gateway/service/type': value must be one of 'ClusterIP'"),
    ({"gateway__service__port": 70000}, "at '/gateway/service/port': maximum: got 70,000, want 65,535"),
    ({"gateway__service__nodePort": 30080}, "at '/gateway/service/nodePort': got number, want null"),
    ({"gateway__service__annotations": {"a": 1}}, "at '/gateway/service/annotations/a': got number, want string"),
    (
        {"gateway__resources": {"limits": {"cpu": "1 core"}}},
        "at '/gateway/resources/limits/cpu': '1 core' does not match",
    ),
    ({"gateway__tolerations": [{"effekt": "NoExecute"}]}, "additional properties 'effekt' not allowed"),
    ({"gateway__nodeSelector": {"gpu": True}}, "at '/gateway/nodeSelector/gpu': got boolean, want string"),
    ({"crds__install": "yes"}, "at '/crds/install': got string, want boolean"),
    ({"imagePullSecrets": ["registry"]}, "at '/imagePullSecrets/0': got string, want object"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[str(values) for values, _ in REFUSED])
def test_helm_refuses_a_bad_value_and_names_it(values: dict[str, Any], message: str) -> None:
    done = template(**values)
    assert done.returncode != 0
    assert message in done.stderr


def test_helm_finds_nothing_to_complain_of() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout
