"""The breaker: any order of attempts, ends and time."""

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from turnout_runtime.facts import Found, NoSuchKey, Scope
from turnout_runtime.facts.breaker import Breaker, Guard
from turnout_runtime.facts.flights import Flights
from turnout_runtime.facts.source import BadValue, BreakerOpen, SourceFailed

FAILURES, RESET = 3, 2.0
SCOPE = Scope(0, lambda: 1.0)


class BreakerMachine(RuleBasedStateMachine):
    """Attempts overlap: each ends whenever it likes, also long after the state has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(FAILURES, RESET, clock=lambda: self.now)
        self.state, self.since, self.in_a_row = "closed", 0.0, 0
        self.open_attempts: list[tuple[int, int]] = []  # ticket, epoch of the model
        self.epoch = 0

    def _change(self, state: str) -> None:
        self.state, self.since, self.in_a_row = state, self.now, 0
        self.epoch += 1

    @rule()
    def attempt(self) -> None:
        ticket = self.breaker.admit()
        if self.state == "open" and self.now - self.since >= RESET:
            self._change("half_open")
            assert ticket is not None
        elif self.state == "closed":
            assert ticket is not None
        else:
            assert ticket is None
            return
        self.open_attempts.append((ticket, self.epoch))

    @precondition(lambda self: self.open_attempts)
    @rule(data=st.data(), well=st.booleans())
    def end(self, data: st.DataObject, well: bool) -> None:
        index = data.draw(st.integers(0, len(self.open_attempts) - 1))
        ticket, epoch = self.open_attempts.pop(index)
        before = self.state
        changed = self.breaker.judge(ticket, well)
        if epoch == self.epoch:
            self._count(well)
        assert changed == (self.state != before)

    def _count(self, well: bool) -> None:
        if well:
            self.in_a_row = 0
            if self.state == "half_open":
                self._change("closed")
            return
        self.in_a_row += 1
        if self.state == "half_open" or self.in_a_row >= FAILURES:
            self._change("open")

    @rule(seconds=st.sampled_from([0.25, 1.0, RESET]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def same_state(self) -> None:
        assert self.breaker.state == self.state

    @invariant()
    def one_probe_at_most(self) -> None:
        if self.state == "half_open":
            assert sum(epoch == self.epoch for _, epoch in self.open_attempts) == 1


TestBreaker: Any = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=100, deadline=None)


class Scripted:
    """Answers each attempt with the next of what it is given."""

    def __init__(self, *answers: Found | Exception | asyncio.Future[Found]) -> None:
        self.answers, self.asked = list(answers), 0

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_source_that_fails_is_left_alone_and_found_again(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    breaker = Breaker(2, 1.0, clock=lambda: now)
    never: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
    source = Scripted(SourceFailed("status 500"), ConnectionError("http://user:pw@secret"), never, Found({"x": 1}))
    flights = Flights(source, 0.02, Guard("weather", breaker))
    with caplog.at_level(logging.INFO):
        for kind in (SourceFailed, ConnectionError, BreakerOpen):
            with pytest.raises(kind):
                flights.get("k", SCOPE)
        assert (source.asked, breaker.state, breaker.opened, breaker.refused) == (2, "open", 1, 1)
        now = 1.0
        probe = flights.get("k", SCOPE)
        with pytest.raises(BreakerOpen):
            flights.get("other", SCOPE)
        with pytest.raises(TimeoutError):
            await probe  # type: ignore[misc]
        assert (breaker.state, breaker.opened) == ("open", 2)
        now = 2.0
        assert flights.get("k", SCOPE) == Found({"x": 1})
    assert breaker.state == "closed"
    told = [vars(record).get("error") or record.getMessage()[:30] for record in caplog.records]
    left = "a fact's source is left alone,"
    assert told == ["SourceFailed: status 500", "ConnectionError", left, "TimeoutError", "a fact can be had again"]


async def test_a_key_without_a_fact_is_no_failure() -> None:
    breaker = Breaker(1, 1.0)
    flights = Flights(Scripted(NoSuchKey("k"), BadValue("not JSON"), NoSuchKey("k")), 1.0, Guard("f", breaker))
    for kind in (NoSuchKey, BadValue, NoSuchKey):
        with pytest.raises(kind):
            flights.get("k", SCOPE)
    assert breaker.state == "closed"
