import asyncio
import time
from typing import Any

import pytest

from turnout_runtime.errors import InvalidRequest, WorkflowError
from turnout_runtime.facts import FactRule, Facts, Found, NoSuchKey, Scope
from turnout_runtime.facts.caller import CallerFacts

Answer = dict[str, Any] | Exception | None


class Source:
    """Answers after `delay` seconds with what it has; never when there is nothing under the key."""

    def __init__(self, answers: dict[str, Answer], delay: float = 0.0) -> None:
        self.answers, self.delay = answers, delay
        self.asked: list[str] = []
        self.abandoned: list[str] = []

    def get(self, key: str, scope: Scope) -> "asyncio.Future[Found]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        self.asked.append(key)
        future.add_done_callback(lambda done: self.abandoned.append(key) if done.cancelled() else None)
        loop.call_later(self.delay, self._answer, future, self.answers.get(key))
        return future

    @staticmethod
    def _answer(future: "asyncio.Future[Found]", answer: Answer) -> None:
        if future.done() or answer is None:
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(Found(answer))


def _facts(budget: float = 1.0, **rules: FactRule) -> Facts:
    return Facts(rules, Scope(0, lambda: budget))


async def test_a_live_fact() -> None:
    facts = _facts(a=FactRule(Source({"k": {"x": 1}}), 1.0, {"x": 0}))
    await facts.fetch(a="k")
    assert facts["a"] == {"x": 1}
    assert (facts.settled["a"].source, facts.settled["a"].reason) == ("live", None)
    assert not facts.fallback_used


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "timeout"),
        (NoSuchKey("k"), "not_found"),
        (ConnectionError("down"), "error"),
        (ValueError("bad"), "error"),
    ],
)
async def test_what_fails_becomes_its_fallback_or_is_missing(answer: Answer, reason: str) -> None:
    source = Source({"k": answer})
    facts = _facts(a=FactRule(source, 0.02, {"x": 0}), b=FactRule(source, 0.02))
    await facts.fetch(a="k", b="k")
    assert (facts["a"], facts.settled["a"].source, facts.settled["a"].reason) == ({"x": 0}, "fallback", reason)
    assert (facts["b"], facts.settled["b"].source, facts.settled["b"].reason) == (None, "missing", reason)
    assert facts.fallback_used


async def test_an_empty_fallback_is_a_fallback() -> None:
    facts = _facts(a=FactRule(Source({}), 0.01, {}))
    await facts.fetch(a="k")
    assert (facts["a"], facts.settled["a"].source) == ({}, "fallback")


async def test_a_workflow_that_changes_a_fallback_changes_only_its_own() -> None:
    rule = FactRule(Source({}), 0.01, {"x": [0]})
    for _ in range(2):
        facts = _facts(a=rule)
        await facts.fetch(a="k")
        assert facts["a"] == {"x": [0]}
        facts["a"]["x"].append(1)  # type: ignore[index]


async def test_no_key_asks_nothing() -> None:
    source = Source({"k": {"x": 1}})
    facts = _facts(a=FactRule(source, 1.0), b=FactRule(source, 1.0))
    await facts.fetch(a=None, b="k")
    assert (facts["a"], facts.settled["a"].reason, source.asked) == (None, "no_key", ["k"])


async def test_facts_are_fetched_in_parallel_each_in_its_time() -> None:
    slow, fast = Source({"k": {"x": 1}}, delay=0.1), Source({"k": {"x": 2}}, delay=0.01)
    facts = _facts(a=FactRule(slow, 0.03), b=FactRule(fast, 1.0), c=FactRule(slow, 1.0), d=FactRule(slow, 1.0))
    started = time.perf_counter()
    await facts.fetch(a="k", b="k", c="k", d="k")
    assert time.perf_counter() - started < 0.22
    assert [facts.settled[name].source for name in "abcd"] == ["missing", "live", "live", "live"]
    latencies = [facts.settled[name].latency_ms for name in "bac"]
    assert latencies == sorted(latencies)
    assert 25 < facts.settled["a"].latency_ms < 90


async def test_the_requests_budget_bounds_every_fact() -> None:
    facts = _facts(0.02, a=FactRule(Source({}), 60.0, {}))
    await asyncio.wait_for(facts.fetch(a="k"), 1)
    assert facts.settled["a"].reason == "timeout"


async def test_a_cancelled_request_abandons_its_wishes() -> None:
    source = Source({})
    facts = _facts(a=FactRule(source, 60.0), b=FactRule(source, 60.0))
    task = asyncio.create_task(facts.fetch(a="1", b="2"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert source.abandoned == ["1", "2"]


async def test_an_undeclared_fact_is_the_workflows_mistake() -> None:
    source = Source({"k": {}})
    with pytest.raises(WorkflowError, match=r"fact 'wether' is not declared.*spec\.facts"):
        await _facts(weather=FactRule(source, 1.0)).fetch(weather="k", wether="k")
    assert source.asked == []


async def test_facts_can_be_fetched_in_two_passes() -> None:
    source = Source({"1": {"next": "2"}, "2": {"x": 2}})
    facts = _facts(a=FactRule(source, 1.0), b=FactRule(source, 1.0))
    await facts.fetch(a="1")
    assert "b" not in facts
    await facts.fetch(b=(facts["a"] or {})["next"])
    assert facts["b"] == {"x": 2}


async def test_a_key_that_is_no_string_is_the_workflows_mistake() -> None:
    with pytest.raises(WorkflowError, match="fact 'a': the key is a int, but must be a string or None"):
        await _facts(a=FactRule(Source({}), 1.0)).fetch(a=7)  # type: ignore[arg-type]


async def test_a_callers_mistake_abandons_what_was_asked_for() -> None:
    source = Source({})
    rules = {"a": FactRule(source, 60.0), "b": FactRule(CallerFacts("b"), 1.0, keyless=True)}
    with pytest.raises(InvalidRequest):
        await Facts(rules, Scope(0, lambda: 1.0, caller={"b": 7})).fetch(a="k", b=None)
    await asyncio.sleep(0)
    assert source.abandoned == ["k"]


async def test_latency_of_what_had_to_wait_is_counted() -> None:
    rule = FactRule(Source({"k": {}}), 1.0)
    await _facts(a=rule).fetch(a="k")
    await _facts(a=rule).fetch(a=None)
    assert dict(rule.stats.latency.buckets())["+Inf"] == 1
    assert {origin: count for origin, count in rule.stats.sources.items() if count} == {"live": 1, "missing": 1}
