"""Runs a batch so that a row that breaks it fails alone."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from turnout_runtime.errors import RequestTimeout, TurnoutError, WorkflowError
from turnout_runtime.workflow.features import Row

Runner: TypeAlias = Callable[[Sequence[Row]], Sequence[float]]
"""Scores of a batch of equally long rows, in their order. Blocks."""

AsyncRunner: TypeAlias = Callable[[Sequence[Row], float | None], Awaitable[Sequence[float]]]
"""The same for a model that runs elsewhere; the float is the seconds that the batch has, None for no limit."""

Outcome: TypeAlias = float | Exception
"""A row's score, or what went wrong with it."""


def outcomes(run: Runner, rows: Sequence[Row]) -> Sequence[Outcome]:
    """An outcome for each row; what a failing batch hides is found by halving it. Never raises.

    An error of the runtime's own tree is about the model as a whole, so it goes to all rows.
    """
    try:
        return _complete(run(rows), rows)
    except TurnoutError as error:
        return [error] * len(rows)
    except Exception as error:  # whatever the model's library raises
        if len(rows) == 1:
            return [error]
    half = len(rows) // 2
    return [*outcomes(run, rows[:half]), *outcomes(run, rows[half:])]


async def remote_outcomes(run: AsyncRunner, rows: Sequence[Row], left: Callable[[], float | None]) -> Sequence[Outcome]:
    """The same for a model that runs elsewhere; `left` says how many seconds the rows still have."""
    try:
        return _complete(await run(rows, left()), rows)
    except TurnoutError as error:
        return [error] * len(rows)
    except Exception as error:  # whatever the server says of these rows
        if len(rows) == 1:
            return [error]
    half = len(rows) // 2
    return [*await remote_outcomes(run, rows[:half], left), *await remote_outcomes(run, rows[half:], left)]


def failed(outcome: Outcome) -> bool:
    """Whether its run says nothing about the time that runs take: an error may come at once, or after many runs."""
    return isinstance(outcome, Exception) and not isinstance(outcome, RequestTimeout)


def wrong_count(scores: Sequence[object], rows: Sequence[Row]) -> WorkflowError:
    """What to say of a model that does not answer every row."""
    return WorkflowError(f"the model gave {len(scores)} scores for {len(rows)} rows")


def _complete(scores: Sequence[float], rows: Sequence[Row]) -> Sequence[float]:
    if len(scores) != len(rows):
        raise wrong_count(scores, rows)
    return scores


def padded(run: Runner, size: int) -> Runner:
    """A runner that always sees exactly `size` rows: the last one is repeated, and its extra scores are dropped."""

    def run_padded(rows: Sequence[Row]) -> Sequence[float]:
        return run(_filled(rows, size))[: len(rows)]

    return run_padded


def padded_remote(run: AsyncRunner, size: int) -> AsyncRunner:
    """The same for a model that runs elsewhere."""

    async def run_padded(rows: Sequence[Row], left: float | None) -> Sequence[float]:
        return (await run(_filled(rows, size), left))[: len(rows)]

    return run_padded


def _filled(rows: Sequence[Row], size: int) -> Sequence[Row]:
    return [*rows, *[rows[-1]] * (size - len(rows))]
