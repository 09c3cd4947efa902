import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from turnout_runtime.errors import WorkflowError, WorkflowSetupFailed
from turnout_runtime.models.batch import Batcher
from turnout_runtime.models.load import warm
from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.workflow.decision import Decision, checked
from turnout_runtime.workflow.features import Row, as_named, as_row


class Runs:
    """Sums rows; notes each batch; fails for a row that has `poison` in it."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, rows: Sequence[Row]) -> list[float]:
        self.batches.append(len(rows))
        if any("poison" in row for row in rows):
            raise ValueError("poisoned")
        return [float(sum(row)) for row in rows]


async def test_what_arrives_together_is_computed_together() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 2)
    scores = await asyncio.gather(*(batcher.score([n, 1.0]) for n in range(5)))
    assert scores == [1, 2, 3, 4, 5]
    assert runs.batches == [5]
    assert await batcher.score([1.0, 1.0]) == 2
    assert runs.batches == [5, 1]


async def test_a_bad_row_fails_alone() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1)
    rows: list[Any] = [[1.0], ["poison"], [3.0], [1.0, 2.0], [float("nan")], [float("inf")]]
    results = await asyncio.gather(*(batcher.score(row) for row in rows), return_exceptions=True)
    assert [results[0], results[2]] == [1.0, 3.0]
    told = [str(result) for result in results if isinstance(result, WorkflowError)]
    assert told == [
        "model 'm' failed: ValueError: poisoned",
        "model 'm' takes 1 features, got 2",
        "model 'm' gave the score nan, not a finite number",
        "model 'm' gave the score inf, not a finite number",
    ]


async def test_a_cancelled_row_is_not_computed() -> None:
    runs = Runs()
    batcher = Batcher("m", runs, 1)
    tasks = [asyncio.create_task(batcher.score([float(n)])) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [results[0], results[2]] == [0.0, 2.0]
    assert runs.batches == [2]


def test_warming_runs_a_row_and_a_full_batch(tmp_path: Any) -> None:
    runs = Runs()
    warm(Model("m", tmp_path, Loaded(runs, None)), 3, 8)
    assert sorted(runs.batches) == [1, 8]
    with pytest.raises(WorkflowSetupFailed, match="takes 2 features, feature_names has 3"):
        warm(Model("m", tmp_path, Loaded(runs, 2)), 3, 8)


def _broken(_: Sequence[Row]) -> list[float]:
    raise RuntimeError("no such operator")


def test_a_model_that_does_not_run_is_told(tmp_path: Any) -> None:
    with pytest.raises(WorkflowSetupFailed, match="model 'm' failed its warm-up: no such operator"):
        warm(Model("m", tmp_path, Loaded(_broken, None)), 3, 8)


NAMES = ("a", "b")


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
    decision = checked(Decision("late", np.float32(0.5), True))  # type: ignore[arg-type]
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
        checked(decision)
