"""What is declared, built: order of the wrappers, shared stores, secrets, numbers for the metrics."""

from typing import Any

import pytest

from turnout_runtime.config import FactConfig, HttpLocation
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import Facts, Scope
from turnout_runtime.facts.caller import CallerFacts
from turnout_runtime.facts.connect import FactStores, connect
from turnout_runtime.facts.flights import Cached, Flights
from turnout_runtime.facts.http import HttpFacts


def _connect(budget: float = 60.0, **facts: Any) -> FactStores:
    declared = {name: {"timeoutSeconds": 1, **fact} for name, fact in facts.items()}
    return connect({name: FactConfig.model_validate(fact) for name, fact in declared.items()}, budget)


CACHE = {"ttlSeconds": 5, "staleIfErrorSeconds": 5}


async def test_single_flight_and_its_breaker_are_inside_the_cache() -> None:
    stores = _connect(
        0.5,
        a={"http": {"url": "http://localhost/{key}"}, "cache": CACHE},
        b={"redis": {"url": "redis://localhost"}, "breaker": None},
        c={"caller": {}},
    )
    a, b, c = (stores.rules[name] for name in "abc")
    assert isinstance(a.source, Cached)
    assert isinstance(a.source._flights, Flights)
    assert isinstance(a.source._flights._source, HttpFacts)
    assert a.stale == a.source.memory.stale
    assert a.timeout == 0.5
    assert isinstance(b.source, Flights)
    assert isinstance(c.source, CallerFacts)
    assert c.keyless
    stats = stores.stats()
    assert stats["a"].cached is a.source
    assert stats["a"].breaker is a.source._flights._guard.breaker
    assert (stats["b"].cached, stats["c"].breaker) == (None, None)
    await stores.close()


def test_without_a_breaker_no_failures_are_too_many() -> None:
    source = _connect(b={"redis": {"url": "redis://localhost"}, "breaker": None}).rules["b"].source
    assert isinstance(source, Flights)
    breaker = source._guard.breaker
    assert not any(breaker.judge(breaker.admit() or 0, False) for _ in range(1000))


def test_servers_are_shared_by_their_facts() -> None:
    redis, feast = {"url": "redis://one"}, {"config": "project: p", "features": ["v:f"], "joinKey": "id"}
    stores = _connect(a={"redis": redis}, b={"redis": redis}, c={"feast": feast}, d={"feast": feast})
    assert len(stores.stores) == 4  # two servers, and a first read for each fact of Feast


@pytest.mark.parametrize(
    ("fact", "complaint"),
    [
        ({"redis": {"url": "http://:s3cret@host"}}, r"facts\.f\.redis: the URL must be redis://"),
        ({"redis": {"url": "redis://:s3cret/x@host"}}, r"facts\.f\.redis: the URL must be redis://"),
        ({"redis": {"url": "redis://:s3cret@host?no_option=1"}}, r"facts\.f\.redis: the URL must be redis://"),
        ({"redis": {"urlFromEnv": "NOT_THERE"}}, r"facts\.f\.redis: the variable NOT_THERE is not set"),
        (
            {"http": {"url": "http://host/{key}", "headersFromEnv": {"authorization": "NOT_THERE"}}},
            r"facts\.f\.http: the variable NOT_THERE is not set",
        ),
        (
            {"feast": {"configFromEnv": "NOT_THERE", "features": ["v:f"], "joinKey": "id"}},
            r"facts\.f\.feast: the variable NOT_THERE is not set",
        ),
        ({"plugin": {"name": "none-such"}}, r"facts\.f\.plugin\.name: no installed package offers 'none-such'"),
    ],
)
def test_what_cannot_be_built_is_named_without_its_secrets(fact: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigInvalid, match=complaint) as caught:
        _connect(f=fact)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_host_that_can_be_none_is_a_store_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    stores = _connect(f={"redis": {"url": "redis://foo..bar"}, "fallback": {"d": 0}})
    await stores.warm()
    assert [record.getMessage() for record in caplog.records] == ["redis does not answer"]
    facts = Facts(stores.rules, Scope(0, lambda: 1.0))
    await facts.fetch(f="k")
    assert (facts["f"], facts.settled["f"].reason) == ({"d": 0}, "error")
    await stores.close()


@pytest.mark.parametrize("header", ["", "a b", "a\r\nb", "é"])
def test_a_header_needs_a_name(header: str) -> None:
    with pytest.raises(ValueError, match="headers"):
        HttpLocation.model_validate({"url": "http://host/{key}", "headers": {header: "x"}})


@pytest.mark.parametrize("url", ["http://{key}/x", "http://{key}", "https://a.{key}.svc:80/{key}", "http://host/x"])
def test_a_key_must_not_choose_the_host(url: str) -> None:
    with pytest.raises(ValueError, match=r"\{key\}"):
        FactConfig.model_validate({"http": {"url": url}, "timeoutSeconds": 1})


def test_secrets_lose_the_line_break_that_files_end_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "Bearer s3cret\n")
    monkeypatch.setenv("ODD", "a\r\nb: c")
    location = HttpLocation.model_validate({"url": "http://host/{key}", "headersFromEnv": {"authorization": "TOKEN"}})
    assert location.resolve("facts.f.http") == {"authorization": "Bearer s3cret"}
    odd = HttpLocation.model_validate({"url": "http://host/{key}", "headersFromEnv": {"x-odd": "ODD"}})
    with pytest.raises(ConfigInvalid, match=r"facts\.f\.http: the header x-odd holds a line break"):
        odd.resolve("facts.f.http")


async def test_feast_that_is_not_installed_is_named() -> None:
    stores = _connect(f={"feast": {"config": "project: p", "features": ["v:f"], "joinKey": "id"}})
    with pytest.raises(ConfigInvalid, match=r"facts\.f\.feast: Feast is not installed"):
        await stores.warm()


async def test_numbers_for_the_metrics() -> None:
    stores = _connect(f={"caller": {}, "timestampField": "at", "fallback": {}})
    for refs in ({"f": {"at": 4}}, {"f": {}}, {}):
        await Facts(stores.rules, Scope(10 * 10**9, lambda: 1.0, caller=refs)).fetch(f=None)
    stats = stores.stats()["f"]
    assert {origin: count for origin, count in stats.sources.items() if count} == {"caller": 2, "fallback": 1}
    assert stats.reasons == {"not_found": 1}
    assert dict(stats.age.buckets())["5.0"] == 0
    assert dict(stats.age.buckets())["15.0"] == dict(stats.age.buckets())["+Inf"] == 1
    assert stats.age.sum == 6.0
