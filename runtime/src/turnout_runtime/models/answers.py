"""Hands the outcomes of a model's runs to the rows that wait for them."""

from collections.abc import Sequence
from math import isfinite

from turnout_runtime.errors import RequestTimeout, TurnoutError, WorkflowError
from turnout_runtime.models.outcome import Outcome
from turnout_runtime.models.stats import ModelStats
from turnout_runtime.models.waiting import Answer, Waiting


class Answers:
    """Scores must be finite; each row that has none gets an error of its own."""

    def __init__(self, name: str, stats: ModelStats) -> None:
        self._name, self._stats = name, stats

    def give(self, batch: list[Waiting], scores: Sequence[Outcome]) -> None:
        """Answer the rows of a finished run."""
        for (_, future, _, _, alarm), score in zip(batch, scores, strict=True):
            if alarm is not None:
                alarm.cancel()
            if future.done():
                continue
            if type(score) is float and isfinite(score):
                future.set_result(score)
            else:
                self.fail(future, score)

    def fail(self, future: Answer, outcome: Outcome) -> None:
        """The row has no score."""
        self._stats.failed += 1
        future.set_exception(self._error(outcome))

    def give_up(self, future: Answer, seconds: float) -> None:
        """The row's deadline, `seconds` after it came."""
        if not future.done():
            self._stats.late += 1
            future.set_exception(RequestTimeout(f"model {self._name!r} did not answer in the {seconds:.3g} s left"))

    def refuse(self, row: Waiting) -> None:
        """The row would not be answered by its deadline, so nothing is computed for it."""
        _, future, _, _, alarm = row
        if alarm is not None:
            alarm.cancel()
        if not future.done():
            self._stats.late += 1
            future.set_exception(RequestTimeout(f"model {self._name!r} is too busy to answer in the time left"))

    def _error(self, outcome: Outcome) -> Exception:
        """This row's error; several rows never share one, since each traceback grows where it is raised."""
        if not isinstance(outcome, Exception):
            return WorkflowError(f"model {self._name!r} gave the score {outcome}, not a finite number")
        if isinstance(outcome, TurnoutError):
            return type(outcome)(*outcome.args)
        failure = WorkflowError(f"model {self._name!r} failed: {type(outcome).__name__}: {outcome}")
        failure.__cause__ = outcome
        return failure
