from typing import Any

import numpy as np
import pytest

from turnout_runtime.errors import WorkflowError
from turnout_runtime.workflow.decision import Contract, Decision
from turnout_runtime.workflow.features import as_named, as_row

NAMES = ("a", "b")
CONTRACT = Contract()


@pytest.mark.parametrize("features", [[1.0, 2.0], (1.0, 2.0), np.array([1, 2], np.float32), {"b": 2.0, "a": 1.0}])
def test_features_by_name_or_in_order(features: Any) -> None:
    assert list(as_row(NAMES, features)) == [1.0, 2.0]
    assert as_named(NAMES, features) == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ([1.0], "1 values for 2 feature_names"),
        ({"a": 1.0}, r"missing \['b'\], unknown \[\]"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, r"missing \[\], unknown \['c'\]"),
    ],
)
def test_features_that_do_not_fit_their_names(features: Any, told: str) -> None:
    with pytest.raises(WorkflowError, match=told):
        as_row(NAMES, features)


def test_features_without_declared_names_must_bring_their_own() -> None:
    assert as_named((), {"x": 1.0}) == {"x": 1.0}
    assert as_named((), ()) == {}
    with pytest.raises(WorkflowError, match="1 values for 0 feature_names"):
        as_named((), [1.0])


def test_a_decision_is_made_of_plain_values() -> None:
    decision = CONTRACT.checked(Decision("late", np.float32(0.5), True))  # type: ignore[arg-type]
    assert (type(decision.score), decision.score, type(decision.confidence)) == (float, 0.5, float)


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (None, "returned NoneType, not a Decision"),
        (Decision(1, 0.1, 0.1), "decision is int"),  # type: ignore[arg-type]
        (Decision("x", float("nan"), 0.1), "score is nan, not a finite number"),
        (Decision("x", 0.1, float("inf")), "confidence is inf, not a finite number"),
        (Decision("x", "high", 0.1), "score is str, not a number"),  # type: ignore[arg-type]
        (Decision("x", None, 0.1), "score is NoneType, not a number"),  # type: ignore[arg-type]
        (Decision("\ud800", 0.1, 0.1), "decision has lone surrogates"),
        (Decision("x", 0.1, 0.1, 5), "explanations_ref is int"),  # type: ignore[arg-type]
    ],
)
def test_a_decision_that_is_none(decision: object, told: str) -> None:
    with pytest.raises(WorkflowError, match=told):
        CONTRACT.checked(decision)
