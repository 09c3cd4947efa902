"""Weights are exact: whatever split is accepted sums to 10000 basis points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from turnout_operator.api.routing_policy import Arm, RoutingPolicy, RoutingPolicySpec, objective_of, weights_of

TOTAL = 10_000


@st.composite
def splits(draw: st.DrawFn) -> list[int]:
    """Basis points of 1 to 16 arms that sum to 10000."""
    cuts = sorted(draw(st.lists(st.integers(0, TOTAL), max_size=15)))
    return [high - low for low, high in zip([0, *cuts], [*cuts, TOTAL], strict=True)]


def policy(weights: list[float | None]) -> RoutingPolicySpec:
    arms = [{"name": f"arm-{n}", "modelDeployment": "a", "weight": weight} for n, weight in enumerate(weights)]
    return RoutingPolicySpec.model_validate({"arms": arms})


@given(splits())
def test_given_weights_are_kept_exactly(split: list[int]) -> None:
    spec = policy([points / 100 for points in split])
    assert list(weights_of(spec).values()) == split


@given(splits(), st.data())
def test_weightless_arm_takes_the_rest(split: list[int], data: st.DataObject) -> None:
    left_out = data.draw(st.integers(0, len(split) - 1))
    spec = policy([None if n == left_out else points / 100 for n, points in enumerate(split)])
    assert list(weights_of(spec).values()) == split


@given(splits(), st.data())
def test_any_other_sum_is_refused(split: list[int], data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, len(split) - 1))
    split[changed] = data.draw(st.integers(0, TOTAL).filter(lambda points: points != split[changed]))
    with pytest.raises(ValidationError, match="make them sum to 100"):
        policy([points / 100 for points in split])


@given(st.integers(1, 9))
def test_thousandths_are_refused(digit: int) -> None:
    with pytest.raises(ValidationError, match="at most 2 decimals"):
        Arm.model_validate({"name": "a", "modelDeployment": "a", "weight": 12 + digit / 1000})


def test_order_is_the_spec_s() -> None:
    arms = [{"name": name, "modelDeployment": "a", "weight": 25} for name in "zbya"]
    assert list(weights_of(RoutingPolicySpec.model_validate({"arms": arms}))) == ["z", "b", "y", "a"]


@pytest.mark.parametrize(("objective", "expected"), [(None, "policy"), ("delay", "delay")])
def test_objective(objective: str | None, expected: str) -> None:
    spec = {"objective": objective, "arms": [{"name": "a", "modelDeployment": "a"}]}
    assert objective_of(RoutingPolicy.model_validate({"metadata": {"name": "policy"}, "spec": spec})) == expected
