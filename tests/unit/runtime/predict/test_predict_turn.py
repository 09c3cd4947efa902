"""A request without a task: the same answers, errors and contexts as with one, and a task as soon as it has to wait."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from turnout_runtime.predict.turn import Turn

NAME: ContextVar[str] = ContextVar("name", default="nobody")


class Told:
    """What became of a turn."""

    def __init__(self, ask: Callable[["Turn[Any]"], Coroutine[Any, Any, Any]]) -> None:
        self.turn: Turn[Any] = Turn()
        self.results: list[Any] = []
        self.turn.then(self.results.append)
        self.turn.begin(ask(self.turn))


async def test_what_waits_for_nothing_is_answered_at_once() -> None:
    async def ask(turn: Turn[str]) -> str:
        return "now"

    assert Told(ask).results == ["now"]


async def test_a_score_lets_it_go_on_in_the_same_moment() -> None:
    async def ask(turn: Turn[str]) -> str:
        return f"{await turn.expect():.1f}"

    told = Told(ask)
    assert not told.turn.done()
    assert told.results == []
    told.turn.set_result(0.5)
    assert told.results == ["0.5"]


async def test_an_error_in_place_of_the_score_is_raised_where_it_waits() -> None:
    async def ask(turn: Turn[str]) -> str:
        with pytest.raises(ValueError, match="no row"):
            await turn.expect()
        return "caught"

    told = Told(ask)
    told.turn.set_exception(ValueError("no row"))
    assert told.results == ["caught"]


@pytest.mark.parametrize("outcome", [0.25, ValueError("no row")])
async def test_a_score_may_be_there_before_anybody_waits(outcome: float | ValueError) -> None:
    async def ask(turn: Turn[float]) -> float | str:
        turn.expect()
        turn.set_exception(outcome) if isinstance(outcome, ValueError) else turn.set_result(outcome)
        try:
            return await turn
        except ValueError as error:
            return str(error)

    assert Told(ask).results[0] in (0.25, "no row")


async def test_what_it_raises_is_told() -> None:
    async def ask(turn: Turn[str]) -> str:
        await turn.expect()
        raise ZeroDivisionError

    told = Told(ask)
    told.turn.set_result(0.5)
    assert [type(result) for result in told.results] == [ZeroDivisionError]


async def test_it_leaves_for_a_task_before_it_waits_for_anything_else() -> None:
    async def ask(turn: Turn[tuple[Any, ...]]) -> tuple[Any, ...]:
        score, before = await turn.expect(), asyncio.current_task()
        NAME.set("somebody")
        await turn.leave()
        async with asyncio.timeout(1):
            await asyncio.sleep(0.001)
        return score, before is test, asyncio.current_task() is test, NAME.get()

    test = asyncio.current_task()
    told = Told(ask)
    told.turn.set_result(0.5)
    assert told.results == []
    await asyncio.sleep(0.05)
    assert told.results == [(0.5, True, False, "somebody")]  # what resumes it lends it its own task
    assert NAME.get() == "nobody"


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_who_has_gone_is_cancelled_wherever_it_is(turns: int) -> None:
    ended: list[bool] = []

    async def ask(turn: Turn[None]) -> None:
        try:
            await turn.leave()
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            ended.append(turn.cancelled)
            raise

    told = Told(ask)
    for _ in range(turns):
        await asyncio.sleep(0)
    told.turn.cancel()
    await asyncio.sleep(0.01)
    assert ended == [True]
    assert [type(result) for result in told.results] == [asyncio.CancelledError]


async def test_who_has_gone_while_its_row_waits_is_cancelled_at_once_and_wants_no_score() -> None:
    async def ask(turn: Turn[None]) -> None:
        await turn.expect()

    told = Told(ask)
    told.turn.cancel()
    assert [type(result) for result in told.results] == [asyncio.CancelledError]
    assert told.turn.done()
    told.turn.set_result(0.5)  # as a batch that runs already does
    assert len(told.results) == 1


async def test_who_has_gone_before_it_begins_costs_nothing() -> None:
    async def ask(turn: Turn[None]) -> None:
        raise AssertionError

    turn: Turn[None] = Turn()
    turn.cancel()
    turn.begin(ask(turn))
    assert turn.done()
