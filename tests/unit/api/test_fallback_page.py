"""docs/fallback.md: its policy is one, and its static answer is the gateway's."""

import json
import re
from pathlib import Path

import yaml
from tests.unit.xds.builders import route

from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_operator.plan.fallback import fallback_route
from turnout_operator.plan.routes import ArmRoute
from turnout_operator.xds.render.fallback import static_body

PAGE = (Path(__file__).parents[3] / "docs" / "fallback.md").read_text()


def _block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_policy_is_one_and_its_static_answer_is_the_gateways() -> None:
    policy = RoutingPolicy.model_validate(yaml.safe_load(_block("yaml")))
    arms = {arm.name: ArmRoute(arm.name, arm.name, arm.name, 0) for arm in policy.spec.arms}
    fallback = fallback_route(policy.spec.fallback, arms)
    assert fallback is not None
    assert fallback.static is not None
    said = json.loads(_block("json"))
    gateways = {**static_body(route(version=said["policy_version"]), fallback.static), "request_id": "r-17"}
    assert said == gateways
    assert (fallback.failures, fallback.max_concurrent) == ({"5xx", "timeout", "overload"}, 64)
