"""Sources that others wrote, and keys that others send: neither may hold up or spoil a request of somebody else."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.facts import FactRule, Facts, Found, Scope
from turnout_runtime.facts.breaker import Breaker, Guard
from turnout_runtime.facts.caller import CallerFacts
from turnout_runtime.facts.feast import FeastFacts, FeastStore
from turnout_runtime.facts.flights import Cached, Flights
from turnout_runtime.facts.gather import Gather
from turnout_runtime.facts.memory import Memory
from turnout_runtime.facts.plugin import PluginFacts


def _rule(source: Any, timeout: float = 0.05, max_entries: int = 100) -> FactRule:
    """As a deployment with a cache would have it."""
    memory = Memory(60.0, 0.0, max_entries)
    cached = Cached(Flights(PluginFacts(source), timeout, Guard("f", Breaker(100, 1.0)), memory), memory)
    return FactRule(cached, timeout, {"d": 0}, memory.stale, bounded=True)


async def _fetched(rule: FactRule, key: str = "k") -> Any:
    facts = Facts({"f": rule}, Scope(0, lambda: 5.0))
    await facts.fetch(f=key)
    return facts.settled["f"]


class Table:
    """A plug-in that hands out what it keeps."""

    def __init__(self, wrap: Any) -> None:
        self.value, self._wrap = {"v": [1]}, wrap

    def get(self, key: str, scope: Scope) -> Any:
        return self._wrap(self.value)


async def _later(value: Any) -> Any:
    return value


@pytest.mark.parametrize("wrap", [lambda v: v, Found, _later, lambda v: _later(Found(v))])
async def test_what_a_workflow_does_to_a_value_stays_its_own(wrap: Any) -> None:
    table = Table(wrap)
    facts = Facts({"f": FactRule(PluginFacts(table), 1.0)}, Scope(0, lambda: 1.0))
    await facts.fetch(f="k")
    facts["f"]["v"].append(2)  # type: ignore[index]
    assert table.value == {"v": [1]}


class Odd:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def get(self, key: str, scope: Scope) -> Any:
        return self._answer


@pytest.mark.parametrize("answer", [Found([1]), Found(None), [1], "x"])  # type: ignore[arg-type]
async def test_what_is_no_fact_falls_back_at_once(answer: Any) -> None:
    fact = await asyncio.wait_for(_fetched(_rule(Odd(answer), timeout=5.0)), 1)
    assert (fact.value, fact.source, fact.reason) == ({"d": 0}, "fallback", "error")


class Stubborn:
    """Takes its time to end when it is cancelled, as one does that returns connections to a pool."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self, key: str, scope: Scope) -> Any:
        self.asked += 1
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.3)


async def test_a_source_that_does_not_end_holds_nobody_up() -> None:
    source = Stubborn()
    rule = _rule(source)
    for asked in (1, 2):  # and the next one does not wait for what has not ended yet
        fact = await asyncio.wait_for(_fetched(rule), 0.25)
        assert (fact.reason, source.asked) == ("timeout", asked)
    await asyncio.sleep(0.4)
    assert (await _fetched(rule)).reason == "timeout"


class Panic(BaseException):
    """What extension modules raise when they panic."""


class Panicking:
    def get(self, key: str, scope: Scope) -> Any:
        raise Panic


class PanickingLater:
    async def get(self, key: str, scope: Scope) -> Any:
        raise SystemExit


@pytest.mark.parametrize("source", [Panicking(), PanickingLater()])
async def test_a_source_that_panics_is_a_source_that_fails_and_is_tried_again(source: Any) -> None:
    guard = Guard("f", Breaker(1, 0.01))
    rule = FactRule(Flights(PluginFacts(source), 1.0, guard), 1.0, {"d": 0}, bounded=True)
    reasons = []
    for _ in range(4):
        reasons.append((await _fetched(rule)).reason)
        await asyncio.sleep(0.02)
    assert reasons == ["error"] * 4  # and never breaker_open for good


class Open:
    """Never answers."""

    def get(self, key: str, scope: Scope) -> "asyncio.Future[Found]":
        return asyncio.get_running_loop().create_future()


async def test_a_callers_mistake_ends_the_fetch_and_nothing_else() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    rules = {"slow": FactRule(Open(), 5.0), "history": FactRule(CallerFacts("history"), 5.0, keyless=True)}
    facts = Facts(rules, Scope(0, lambda: 5.0, caller={"history": 7}))
    with pytest.raises(InvalidRequest):
        await facts.fetch(slow="k", history=None)
    await asyncio.sleep(0.01)
    assert failures == []


async def test_a_cache_is_bounded_in_bytes_of_keys_too() -> None:
    class Nothing:
        def get(self, key: str, scope: Scope) -> None:
            return None

    rule = _rule(Nothing(), max_entries=10_000)
    for number in range(5):
        await _fetched(rule, f"{number}" * 100_000)
    assert isinstance(rule.source, Cached)
    assert len(rule.source.memory) == 0
    await _fetched(rule, "k" * 100)
    assert len(rule.source.memory) == 1


class Columns:
    """What Feast's FeatureStore is asked and answers, as far as it goes here; it refuses whole batches."""

    def __init__(self, kind: str) -> None:
        self._entity = SimpleNamespace(join_key="id", value_type=SimpleNamespace(name=kind))

    def list_entities(self, allow_cache: bool) -> list[Any]:
        return [self._entity]

    def get_online_features(self, features: list[str], rows: list[dict[str, Any]], full_feature_names: bool) -> Any:
        bits = {"INT32": 31, "INT64": 63}.get(self._entity.value_type.name)
        for row in rows:
            if bits is None:
                row["id"].encode()
            elif not -(2**bits) <= row["id"] < 2**bits:
                raise ValueError("out of range")
        columns = {"id": [row["id"] for row in rows], "f": [1.0] * len(rows), "f__ts": [7] * len(rows)}
        return SimpleNamespace(to_dict=lambda include_event_timestamps: columns)


@pytest.mark.parametrize(
    ("kind", "good", "odd"),
    [
        ("INT64", "7", str(2**63)), ("INT64", str(-(2**63)), str(-(2**63) - 1)), ("INT32", "7", str(2**31)),
        ("INT64", "7", "9" * 5000), ("INT64", "7", "1_0"), ("INT64", "7", "x"), ("STRING", "seven", "\ud800"),
    ],
)  # fmt: skip
async def test_one_callers_odd_key_costs_nobody_else_a_fact_of_feast(kind: str, good: str, odd: str) -> None:
    store = FeastStore("facts.f.feast", "", 1.0)
    store._store = Columns(kind)
    source = FeastFacts(store, ["v:f"], "id")
    wishes = [source.get(key, Scope(0, lambda: 1.0)) for key in (good, odd)]
    found, nothing = await asyncio.gather(*wishes, return_exceptions=True)
    assert isinstance(found, Found)
    assert found.value == {"f": 1.0}
    assert type(nothing).__name__ == "NoSuchKey"


async def test_a_store_that_answers_too_little_fails_all_wishes_at_once() -> None:
    async def short(keys: Any) -> Any:
        return [b"only one"]

    gather = Gather(short, 1)
    wishes = [gather.get(key, lambda value: Found({"v": value})) for key in "ab"]
    done = await asyncio.wait_for(asyncio.gather(*wishes, return_exceptions=True), 1)
    assert all(isinstance(end, Exception) for end in done)
