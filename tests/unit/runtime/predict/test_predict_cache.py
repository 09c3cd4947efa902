import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.predict.planes import ROUTE, Flow, body, plane, serving

from turnout_runtime.config import AnswerCache
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import FactRule, Found, NoSuchKey, Scope
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.aging import Aging
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.cache import AnswersByKey
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.workflow import Context, Request

CACHE = {"ttlSeconds": 60, "keyFields": ["context.x", "entity_id"]}


async def test_a_fresh_answer_needs_neither_facts_nor_model_nor_a_place() -> None:
    seen: list[Prediction] = []
    one = plane(seen, cache=CACHE, concurrency=1, maxQueueDepth=0)
    first = await one.predict(ROUTE, body(x=2.0, fact="0"))
    busy = asyncio.create_task(one.predict(ROUTE, body(x=9.0, sleep={"fetch": 0.05})))
    await asyncio.sleep(0.01)
    hit = await one.predict(ROUTE, body(x=2.0))
    assert hit.error is None
    assert hit.decision == first.decision
    assert (hit.prediction_id != first.prediction_id, hit.passes, dict(hit.stages)) == (True, 0, {})
    assert ([p.cache for p in seen], hit.fallback_used) == (["miss", "hit"], False)
    record = json.loads(Encoder(Identity("n", "m", "r", "d"))(hit))
    assert record["cache"]["age_ms"] >= 0
    assert (record["features"], record["facts"], record["score"]) == (None, {}, 3.0)
    await busy
    assert one.cache is not None
    assert (one.cache.stats.hit, one.cache.stats.miss, one.cache.stats.stale) == (1, 2, 0)


async def test_answers_grow_too_old() -> None:
    seen: list[Prediction] = []
    one = plane(seen, cache={**CACHE, "ttlSeconds": 0.02})
    await one.predict(ROUTE, body())
    await asyncio.sleep(0.03)
    await one.predict(ROUTE, body())
    assert [p.cache for p in seen] == ["miss", "miss"]


async def test_only_the_workflows_best_answers_are_remembered() -> None:
    seen: list[Prediction] = []
    one = plane(seen, cache=CACHE, budget={"factsSeconds": 0.01})
    for context in ({"flag": True}, {"fact": "never"}, {"raise": "predict"}, {}):
        await one.predict(ROUTE, body(**context))
    assert [p.cache for p in seen] == ["miss"] * 4
    assert (await one.predict(ROUTE, body())).cache == "hit"


async def test_precomputed_features_are_not_looked_up() -> None:
    seen: list[Prediction] = []
    one = plane(seen, cache=CACHE)
    for score in (1.0, 2.0):
        prediction = await one.predict(ROUTE, {"features": [score]})
        assert (prediction.cache, prediction.decision.score) == (None, score + 1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "one", "other", "same"),
    [
        (["context.a"], {"a": 1, "b": 1}, {"a": 1, "b": 2}, True),
        (["context.a"], {"a": 1}, {"a": "1"}, False),
        (["context.a.b"], {"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True),
        (["context.a"], {"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}, True),
        (["context.a"], {"a": [1, 2]}, {"a": [2, 1]}, False),
        (["context.a", "context.b"], {"a": 1}, {"b": 1}, False),
        (["context.a"], {}, {"a": None}, True),
        (["context.a.b"], {"a": 7}, {"a": {"b": None}}, True),
        (["entity_id"], {"a": 1}, {"a": 2}, True),
    ],
)
def test_the_key_is_the_declared_fields(
    fields: list[str], one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    cache = AnswersByKey(AnswerCache(ttlSeconds=1, keyFields=fields))
    keys = [cache.key(ROUTE, Request("r", "e", {}, context)) for context in (one, other)]
    assert (keys[0] == keys[1]) is same


@pytest.mark.parametrize("field", ["context", "amount", "context.", "request_id", ".", "entity_id.x"])
def test_key_fields_that_no_request_has_are_refused(field: str) -> None:
    with pytest.raises(ConfigInvalid, match="keyFields"):
        AnswersByKey(AnswerCache(ttlSeconds=1, keyFields=[field]))


def test_the_configuration_reaches_the_cache() -> None:
    assert serving(cache=CACHE).cache is not None
    assert plane([], cache=CACHE).cache is not None
    assert plane([]).cache is None


@pytest.mark.parametrize("other", [{"objective": "b"}, {"arm": "canary"}, {"arm": None}, {"shadow": True}])
async def test_an_answer_is_of_one_objective_and_arm(other: dict[str, Any]) -> None:
    seen: list[Prediction] = []
    one = plane(seen, cache=CACHE)
    for route in (ROUTE, ROUTE._replace(**other), ROUTE._replace(policy_version="v2")):
        await one.predict(route, body())
    assert [p.cache for p in seen] == ["miss", "miss", "hit"]


async def test_an_answer_without_a_fact_that_could_not_be_had_is_not_remembered() -> None:
    class Failing:
        def get(self, key: str, scope: Scope) -> Found:
            raise NoSuchKey(key) if key == "none" else ConnectionError

    class Asking(Flow):
        async def fetch(self, ctx: Context) -> None:
            await ctx.facts.fetch(f=ctx.input.get("fact"))

    flow, seen = Asking(), list[Prediction]()
    flow.models = plane([], Flow()).workflow.models
    one = dataplane(flow, {"f": FactRule(Failing(), 1.0)}, serving(cache=CACHE), "r", seen.append)
    for context in ({"fact": "down"}, {"fact": "none"}, {}):
        await one.predict(ROUTE, body(**context))
    assert [(p.cache, p.error) for p in seen] == [("miss", None), ("miss", None), ("hit", None)]


def test_long_values_make_no_long_keys() -> None:
    cache = AnswersByKey(AnswerCache(ttlSeconds=1, keyFields=["context.a"]))
    keys = {cache.key(ROUTE, Request("r", "e", {}, {"a": letter * 100_000})) for letter in "abc"}
    assert len(keys) == 3
    assert all(key is not None and len(key) < 200 for key in keys)


_STEPS = st.lists(
    st.tuples(st.sampled_from("pgw"), st.integers(0, 5), st.sampled_from([0.0, 1.0, 4.0, 6.0])), max_size=60
)


@given(_STEPS, st.integers(1, 4))
def test_memory_is_bounded_and_never_older_than_its_lifetime(
    steps: list[tuple[str, int, float]], max_entries: int
) -> None:
    now, lifetime = [0.0], 5.0
    memory = Aging[int](lifetime, max_entries, lambda: now[0])
    put: dict[int, tuple[int, float]] = {}
    for number, (action, key, seconds) in enumerate(steps):
        if action == "w":
            now[0] += seconds
        elif action == "p":
            memory.put(key, number)
            put.pop(key, None)
            put[key] = number, now[0]
        newest = list(put)[-max_entries:]
        found = memory.get(key)
        alive = key in newest and now[0] - put[key][1] <= lifetime
        assert found == ((put[key][0], now[0] - put[key][1]) if alive else None)
        assert len(memory) <= max_entries
