"""What is said about rules is what decides."""

import random

from tests.integration.xds.randomness import random_policies, request

from turnout_operator.plan.explain import answer
from turnout_operator.plan.trace import trace

POLICIES = random_policies(range(200, 264))


def test_the_rule_that_decides_is_the_answers() -> None:
    dice, said = random.Random(7), set()
    for _ in range(4_000):
        route, asked = POLICIES[dice.choice(list(POLICIES))], request(dice)
        found = answer(route, asked)
        steps = trace(route, asked, found)
        certain = next((step.rule for step in steps if step.decides), None)
        by_chance = {step.rule for step in steps if step.decides is None}
        rules = {share.rule for share in found.shares}
        assert found.refused or rules <= by_chance | {certain}
        assert not (found.entity and by_chance)
        said.update(step.decides for step in steps)
    assert said == {True, False, None}
