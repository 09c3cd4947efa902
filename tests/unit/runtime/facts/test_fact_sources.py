"""Facts from callers and from plug-ins."""

import asyncio
from contextlib import nullcontext
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from turnout_runtime.errors import ConfigInvalid, InvalidRequest
from turnout_runtime.facts import FactRule, Facts, Found, Scope
from turnout_runtime.facts import plugin as plugins
from turnout_runtime.facts.caller import CallerFacts
from turnout_runtime.facts.plugin import plugin


def _scope(**feature_refs: Any) -> Scope:
    return Scope(10**10, lambda: 1.0, caller=feature_refs)


async def _fetched(source: Any, scope: Scope, key: str | None = None) -> Any:
    facts = Facts({"f": FactRule(source, 1.0, {"d": 0}, keyless=isinstance(source, CallerFacts))}, scope)
    await facts.fetch(f=key)
    return facts.settled["f"]


@pytest.mark.parametrize(
    ("sent", "value", "age_ms"),
    [
        ({"x": 1, "at": 9}, {"x": 1, "at": 9}, 1000.0),
        ({"x": [1], "at": 11}, {"x": [1], "at": 11}, 0.0),
        ({}, {}, None),
        ([0.5, 2], {"vector": [0.5, 2]}, None),
        ([], {"vector": []}, None),
    ],
)
@pytest.mark.parametrize("key", [None, "k"])
async def test_what_the_caller_sent(sent: Any, value: Any, age_ms: float | None, key: str | None) -> None:
    fact = await _fetched(CallerFacts("history", "at"), _scope(history=sent), key)
    assert (fact.value, fact.source, fact.age_ms, fact.reason) == (value, "caller", age_ms, None)
    assert fact.value is not sent


@pytest.mark.parametrize("sent", [{}, {"history": None}, {"other": {}}])
async def test_a_caller_who_sends_nothing_gets_the_fallback(sent: Any) -> None:
    fact = await _fetched(CallerFacts("history"), _scope(**sent))
    assert (fact.value, fact.source, fact.reason) == ({"d": 0}, "fallback", "not_found")


@pytest.mark.parametrize("sent", ["x", 7, True, ["x"], [True], [[1.0]], [None]])
async def test_another_shape_is_the_callers_mistake(sent: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"feature_refs\.history: must be a JSON object, or a list of numbers"):
        await _fetched(CallerFacts("history"), _scope(history=sent))


class Plain:
    """A plug-in's source; answers what its options say."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.answer = options["answer"]
        self.events: list[str] = []

    def get(self, key: str, scope: Scope) -> Any:
        return self.answer

    async def connect(self) -> None:
        self.events.append("connect")

    async def close(self) -> None:
        self.events.append("close")


class Waiting(Plain):
    async def get(self, key: str, scope: Scope) -> Any:
        await asyncio.sleep(0.001)
        return self.answer


def _no_get(options: dict[str, Any]) -> object:
    return object()


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"plain": "Plain", "waiting": "Waiting", "no-get": "_no_get"}
    offered = [EntryPoint(name, f"{__name__}:{what}", plugins.GROUP) for name, what in names.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: EntryPoints(offered).select(group=group))
    monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.attr])


@pytest.mark.parametrize("name", ["plain", "waiting"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"x": 1, "at": 9}, ({"x": 1, "at": 9}, "live", 1000.0, None)),
        (Found({"x": 1}, 8 * 10**9), ({"x": 1}, "live", 2000.0, None)),
        (None, ({"d": 0}, "fallback", None, "not_found")),
        (7, ({"d": 0}, "fallback", None, "error")),
    ],
)
async def test_a_plug_in_answers_in_many_ways(name: str, answer: Any, expected: Any) -> None:
    fact = await _fetched(plugin("facts.f.plugin", name, {"answer": answer}, "at"), _scope(), "k")
    assert (fact.value, fact.source, fact.age_ms, fact.reason) == expected


async def test_a_plug_in_is_opened_and_closed() -> None:
    source = plugin("facts.f.plugin", "plain", {"answer": None}, None)
    await source.connect()
    await source.close()
    assert source._source.events == ["connect", "close"]


@pytest.mark.parametrize(("error", "stops"), [(OSError("s3cret"), False), (ConfigInvalid("wrong"), True)])
async def test_only_a_wrong_plug_in_stops_the_start(
    error: Exception, stops: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: Plain) -> None:
        raise error

    monkeypatch.setattr(Plain, "connect", fail)
    with pytest.raises(ConfigInvalid) if stops else nullcontext():
        await plugin("facts.f.plugin", "plain", {"answer": None}, None).connect()
    assert [vars(record)["error"] for record in caplog.records] == ([] if stops else ["OSError"])


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("gone", {}, r"facts\.f\.plugin\.name: no installed package offers 'gone'.* there is no-get, plain, waiting"),
        ("plain", {}, r"facts\.f\.plugin: plain cannot be made with these options: KeyError"),
        ("no-get", {}, r"facts\.f\.plugin: what no-get makes has no get\(key, scope\)"),
    ],
)
def test_a_plug_in_that_does_not_fit_is_named(name: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigInvalid, match=complaint):
        plugin("facts.f.plugin", name, options, None)
