"""Single-flight and the cache around it."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.facts import FactRule, Facts, Found, NoSuchKey, Scope
from turnout_runtime.facts.breaker import Breaker, Guard
from turnout_runtime.facts.flights import Cached, Flights
from turnout_runtime.facts.memory import Memory

SCOPE = Scope(0, lambda: 1.0)


class Deferred:
    """A source whose answers the test gives."""

    def __init__(self) -> None:
        self.open: list[asyncio.Future[Found]] = []

    def get(self, key: str, scope: Scope) -> asyncio.Future[Found]:
        self.open.append(asyncio.get_running_loop().create_future())
        return self.open[-1]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _guard() -> Guard:
    return Guard("f", Breaker(100, 1.0))


def _cached(source: Deferred, stale: float = 0.0, timeout: float = 0.05) -> tuple[Cached, Clock, FactRule]:
    clock = Clock()
    memory = Memory(10.0, stale, 100, clock)
    cached = Cached(Flights(source, timeout, _guard(), memory), memory)
    return cached, clock, FactRule(cached, timeout, None, memory.stale, bounded=True)


async def _settled(rule: FactRule) -> tuple[object, str, float | None, str | None]:
    facts = Facts({"f": rule}, SCOPE)
    await facts.fetch(f="k")
    fact = facts.settled["f"]
    return fact.value, fact.source, fact.age_ms, fact.reason


async def test_one_fetch_for_all_who_ask_and_a_value_of_its_own_for_each() -> None:
    source = Deferred()
    flights = Flights(source, 1.0, _guard())
    wishes = [flights.get("k", SCOPE) for _ in range(3)]
    other = flights.get("other", SCOPE)
    assert all(isinstance(wish, asyncio.Future) for wish in (*wishes, other))
    wishes[0].cancel()  # type: ignore[union-attr]
    assert (len(source.open), flights.joined) == (2, 2)
    source.open[0].set_result(Found({"x": [1]}, 7))
    second, third = await asyncio.gather(*wishes[1:])  # type: ignore[arg-type]
    assert second == third == Found({"x": [1]}, 7)
    assert second.value["x"] is not third.value["x"]
    source.open[1].set_exception(NoSuchKey("other"))
    with pytest.raises(NoSuchKey):
        await other  # type: ignore[misc]
    assert isinstance(flights.get("k", SCOPE), asyncio.Future)  # the next one asks anew
    assert len(source.open) == 3


async def test_a_fetch_ends_with_its_own_time_limit() -> None:
    source = Deferred()
    wish = Flights(source, 0.02, _guard()).get("k", SCOPE)
    with pytest.raises(TimeoutError):
        await wish  # type: ignore[misc]
    assert source.open[0].cancelled()


async def test_fetches_that_began_later_end_later() -> None:
    source = Deferred()
    flights = Flights(source, 0.04, _guard())
    first = flights.get("a", SCOPE)
    await asyncio.sleep(0.02)
    second = flights.get("b", SCOPE)
    await asyncio.wait([first])  # type: ignore[type-var]
    assert [wish.cancelled() for wish in source.open] == [True, False]
    with pytest.raises(TimeoutError):
        await second  # type: ignore[misc]
    third = flights.get("c", SCOPE)  # and the clock goes on
    with pytest.raises(TimeoutError):
        await third  # type: ignore[misc]
    with pytest.raises(TimeoutError):
        await first  # type: ignore[misc]


async def test_an_abandoned_fetch_still_fills_the_memory() -> None:
    source = Deferred()
    _, _, rule = _cached(source, timeout=1.0)
    hasty = Facts({"f": rule}, Scope(0, lambda: 0.001))
    await hasty.fetch(f="k")
    assert hasty.settled["f"].reason == "timeout"
    source.open[0].set_result(Found({"x": 1}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await _settled(rule))[:2] == ({"x": 1}, "cache")


async def test_nothing_is_asked_for_when_no_time_is_left() -> None:
    source = Deferred()
    cached, _, rule = _cached(source)
    late = Facts({"f": rule}, Scope(0, lambda: -0.1))
    await late.fetch(f="k")
    assert (late.settled["f"].reason, source.open) == ("timeout", [])
    cached.memory.keep("k", Found({"x": 1}))
    await late.fetch(f="k")
    assert late.settled["f"].source == "cache"


async def test_fresh_then_refreshed_then_stale_then_gone() -> None:
    source = Deferred()
    cached, clock, rule = _cached(source, stale=5.0, timeout=0.3)

    async def live(value: int) -> None:
        await asyncio.sleep(0.001)
        source.open[-1].set_result(Found({"v": value}))
        await asyncio.sleep(0.001)

    first, _ = await asyncio.gather(_settled(rule), live(1))
    assert first == ({"v": 1}, "live", None, None)
    clock.now = 7.0
    assert await _settled(rule) == ({"v": 1}, "cache", 7000.0, None)
    assert len(source.open) == 1
    clock.now = 8.5
    assert await _settled(rule) == ({"v": 1}, "cache", 8500.0, None)
    assert await _settled(rule) == ({"v": 1}, "cache", 8500.0, None)
    assert (len(source.open), cached.refreshes) == (2, 1)  # in the background, once
    await live(2)
    assert await _settled(rule) == ({"v": 2}, "cache", 0.0, None)
    clock.now = 18.5
    assert await _settled(rule) == ({"v": 2}, "stale", 10000.0, "timeout")
    clock.now = 23.5
    assert await _settled(rule) == (None, "missing", None, "timeout")


async def test_that_there_is_nothing_is_remembered_too() -> None:
    source = Deferred()
    _, clock, rule = _cached(source, stale=5.0)
    task = asyncio.create_task(_settled(rule))
    await asyncio.sleep(0.001)
    source.open[0].set_exception(NoSuchKey("k"))
    assert await task == (None, "missing", None, "not_found")
    assert await _settled(rule) == (None, "missing", None, "not_found")
    assert len(source.open) == 1
    clock.now = 12.0
    assert await _settled(rule) == (None, "missing", None, "timeout")


async def test_a_refresh_that_fails_costs_nobody_anything() -> None:
    source = Deferred()
    cached, clock, rule = _cached(source)
    cached.memory.keep("k", Found({"v": 1}, as_of_ns=-(10**9)))
    clock.now = 9.0
    assert await _settled(rule) == ({"v": 1}, "cache", 1000.0, None)  # as old as the observation
    source.open[0].set_exception(ConnectionError())
    await asyncio.sleep(0.001)
    assert await _settled(rule) == ({"v": 1}, "cache", 1000.0, None)
    assert cached.refreshes == 1


async def test_what_a_workflow_does_to_a_cached_value_stays_its_own() -> None:
    cached, _, rule = _cached(Deferred())
    cached.memory.keep("k", Found({"v": [1]}))
    facts = Facts({"f": rule}, SCOPE)
    await facts.fetch(f="k")
    facts["f"]["v"].append(2)  # type: ignore[index]
    assert (await _settled(rule))[0] == {"v": [1]}


_ENDS: dict[str, Callable[[asyncio.Future[Found], str], None]] = {
    "found": lambda future, key: future.set_result(Found({"key": key})),
    "none": lambda future, key: future.set_exception(NoSuchKey(key)),
    "fail": lambda future, key: future.set_exception(ConnectionError()),
}
_OPS = st.lists(
    st.tuples(st.sampled_from(["ask", "leave", "found", "none", "fail", "turn"]), st.integers(0, 7)), max_size=40
)


@settings(max_examples=100, deadline=None)
@given(_OPS)
def test_nobody_is_forgotten_and_nobody_asks_twice(ops: list[tuple[str, int]]) -> None:
    asyncio.run(_play(ops))


async def _turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def _play(ops: list[tuple[str, int]]) -> None:
    """Requests come and go, and fetches end, in any order."""
    source, flying, wishes = Deferred(), dict[str, asyncio.Future[Found]](), list[asyncio.Future[Found]]()
    memory = Memory(1e9, 0.0, 100, Clock())
    flights = Flights(source, 60.0, _guard(), memory)
    for op, number in ops:
        key = f"k{number % 3}"
        if op == "ask":
            before = len(source.open)
            wish = flights.get(key, SCOPE)
            assert isinstance(wish, asyncio.Future)
            wishes.append(wish)
            assert len(source.open) - before == (0 if key in flying else 1)
            flying.setdefault(key, source.open[-1])
        elif op == "leave" and wishes:
            wishes[number % len(wishes)].cancel()
        elif op in _ENDS and key in flying:
            _ENDS[op](flying[key], key)
            await _turn()
            del flying[key]
            kept = memory.fresh(key, 0.0)
            assert kept is not None or op == "fail"
            assert kept is None or op == "fail" or (kept.copy is None) == (op == "none")
        await asyncio.sleep(0)
    for key, future in flying.items():
        future.set_result(Found({"key": key}))
    await _turn()
    assert all(wish.done() for wish in wishes)
    assert all(wish.cancelled() or wish.exception() or wish.result().value for wish in wishes)
    assert flights._flights == {}
