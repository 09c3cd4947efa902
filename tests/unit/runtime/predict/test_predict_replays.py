import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.predict.planes import ROUTE, Flow, body, plane

from turnout_runtime.errors import RequestIdReused
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.replays import digest_of
from turnout_runtime.workflow import Context

WINDOW = {"windowSeconds": 60}


def _plane(seen: list[Prediction], flow: Flow | None = None, **limits: Any) -> Dataplane:
    return plane(seen, flow, idempotency=WINDOW, **limits)


class Counting(Flow):
    def __init__(self) -> None:
        self.runs = 0

    async def fetch(self, ctx: Context) -> None:
        self.runs += 1
        await super().fetch(ctx)


async def test_a_repeated_request_gets_the_first_answer() -> None:
    seen: list[Prediction] = []
    flow = Counting()
    one = _plane(seen, flow)
    first = await one.predict(ROUTE, body("r-1", x=2.0))
    again = await one.predict(ROUTE, b' {"request_id": "r-1",\n "context": {"x": 2.0}}')
    assert answer(again, "v") == answer(first, "v")
    assert (flow.runs, len(seen)) == (1, 1)
    assert one.idempotency is not None
    assert (one.idempotency.replayed, one.idempotency.conflicts) == (1, 0)
    assert again.features is None


async def test_another_body_under_the_same_id_is_refused_and_leaves_a_row() -> None:
    seen: list[Prediction] = []
    one = _plane(seen)
    await one.predict(ROUTE, body("r-1", x=2.0))
    other = await one.predict(ROUTE, body("r-1", x=3.0))
    assert isinstance(other.error, RequestIdReused)
    assert (other.status, other.error_type, seen[1]) == ("invalid", "request-id-reused", other)
    assert one.idempotency is not None
    assert one.idempotency.conflicts == 1


async def test_only_the_callers_own_ids_count_and_each_objective_has_its_own() -> None:
    seen: list[Prediction] = []
    one = _plane(seen)
    gateway = ROUTE._replace(request_id="x-1")
    for route, question in [(gateway, body()), (gateway, body()), (ROUTE, body("r")), (ROUTE._replace(objective="b"), body("r"))]:  # fmt: skip # noqa: E501
        await one.predict(route, question)
    assert len(seen) == 4


async def test_a_shadow_copy_is_no_replay_and_a_request_none_of_its_shadow() -> None:
    seen: list[Prediction] = []
    one = _plane(seen)
    for shadow in (True, False, True, False):
        await one.predict(ROUTE._replace(shadow=shadow), body("r"))
    assert [p.route.shadow for p in seen] == [True, False]


async def test_who_comes_meanwhile_waits_for_the_first() -> None:
    seen: list[Prediction] = []
    flow = Counting()
    one = _plane(seen, flow, concurrency=1, maxQueueDepth=0)
    question = body("r-1", sleep={"fetch": 0.05})
    predictions = await asyncio.gather(*(one.predict(ROUTE, question) for _ in range(5)))
    assert len({p.prediction_id for p in predictions}) == 1
    assert (flow.runs, len(seen)) == (1, 1)


async def test_who_waits_takes_the_place_of_a_first_that_fails() -> None:
    seen: list[Prediction] = []
    flow = Counting()
    one = _plane(seen, flow)
    question = body("r-1", sleep={"fetch": 0.05})
    first = asyncio.create_task(one.predict(ROUTE, question))
    others = [asyncio.create_task(one.predict(ROUTE, question)) for _ in range(3)]
    await asyncio.sleep(0.01)
    first.cancel()
    predictions = await asyncio.gather(*others)
    assert len({p.prediction_id for p in predictions}) == 1
    assert [(p.status, p.error_type) for p in seen] == [("error", "CallerGone"), ("ok", None)]
    assert flow.runs == 2


async def test_a_failure_is_not_remembered() -> None:
    seen: list[Prediction] = []
    one = _plane(seen)
    for _ in range(2):
        await one.predict(ROUTE, body("r-1", **{"raise": "fetch"}))
    assert [p.error_type for p in seen] == ["KeyError"] * 2


async def test_waiting_for_the_first_ends_at_ones_own_deadline() -> None:
    seen: list[Prediction] = []
    one = _plane(seen)
    question = body("r-1", sleep={"fetch": 0.3})
    slow = asyncio.create_task(one.predict(ROUTE, question))
    await asyncio.sleep(0.01)
    hurried = await one.predict(ROUTE._replace(timeout=0.05), question)
    assert (hurried.status, hurried.total < 0.25) == ("timeout", True)
    assert (await slow).status == "ok"


_JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8)  # fmt: skip # noqa: E501


@given(st.dictionaries(st.text(max_size=3), _JSON, max_size=4), st.randoms())
def test_the_digest_is_of_what_a_document_says(document: dict[str, Any], chance: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            chance.shuffle(items)
            return {name: shuffled(inner) for name, inner in items}
        return [shuffled(inner) for inner in value] if isinstance(value, list) else value

    assert digest_of(document) == digest_of(shuffled(document))
    assert digest_of(document) != digest_of({**document, "more": 1}) or document.get("more") == 1


_CALLS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),  # request_id
        st.sampled_from([1.0, 2.0]),  # body
        st.integers(0, 4),  # milliseconds before it comes
        st.sampled_from(["none", "raise", "cancel"]),
    ),
    min_size=2,
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(_CALLS)
def test_one_id_is_one_answer_and_every_run_one_row(calls: list[tuple[str, float, int, str]]) -> None:
    seen: list[Prediction] = []
    flow = Counting()

    async def call(one: Dataplane, request_id: str, x: float, wait: int, fate: str) -> Prediction | None:
        await asyncio.sleep(wait / 1000)
        context: dict[str, Any] = {"sleep": {"fetch": 0.002}} | ({"raise": "decide"} if fate == "raise" else {})
        task = asyncio.create_task(one.predict(ROUTE, body(request_id, x=x, **context)))
        if fate == "cancel":
            asyncio.get_running_loop().call_later(0.001, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    async def run() -> list[Prediction | None]:
        one = _plane(seen, flow, concurrency=20)
        answers = await asyncio.gather(*(call(one, *details) for details in calls))
        assert one.idempotency is not None
        assert not one.idempotency._running
        assert sum(isinstance(p.error, RequestIdReused) for p in seen) == one.idempotency.conflicts
        return answers

    answers = [p for p in asyncio.run(run()) if p is not None and p.error is None]
    for request_id in "ab":
        assert len({p.prediction_id for p in answers if p.request and p.request.request_id == request_id}) <= 1
    assert len({p.prediction_id for p in seen}) == len(seen)
    assert {p.prediction_id for p in answers} <= {p.prediction_id for p in seen}
    assert flow.runs >= len({p.prediction_id for p in answers})


def test_a_replay_is_kept_small() -> None:
    async def run() -> Prediction:
        one = _plane([])
        await one.predict(ROUTE, body("r", note="n" * 10_000))
        return await one.predict(ROUTE, body("r", note="n" * 10_000))

    kept = asyncio.run(run())
    assert "nnn" not in json.dumps({k: str(v) for k, v in vars(kept).items()})


@pytest.mark.parametrize("empty", [b'{"request_id": null, "context": {"x": 1}}'])
async def test_no_id_is_no_repetition(empty: bytes) -> None:
    seen: list[Prediction] = []
    one = _plane(seen)
    await asyncio.gather(one.predict(ROUTE, empty), one.predict(ROUTE, empty))
    assert len(seen) == 2
